namespace Watch.Core.Watching.Delivery;

/// <summary>
/// How large a session's batches are. Small ones keep delays low, large ones carry more: the size grows while answers come fast and more
/// waits, and falls when an answer takes long.
/// </summary>
/// <remarks>
/// B1: a batch takes something more while it has less than <see cref="TargetBytes"/> and less than <see cref="StepsMax"/> steps; the last
/// thing taken may pass the target by itself. B2: nobody gets more than <see cref="QuantumBytes"/> per turn, unless one revision is
/// larger: all that wait get their turn before anyone gets another. Not thread-safe.
/// </remarks>
public sealed class BatchPlan
{
    /// <summary>What a batch holds at least before it is full.</summary>
    public const int TargetBytesMin = 32 << 10;

    /// <summary>What a batch holds at most, but for the last thing taken.</summary>
    public const int TargetBytesMax = 1 << 20;

    /// <summary>How many steps a batch has at most.</summary>
    public const int StepsMax = 16_384;

    /// <summary>How many bytes one watch gets in one turn.</summary>
    public const int QuantumBytes = 64 << 10;

    /// <summary>How many events one watch gets in one turn.</summary>
    public const int QuantumEvents = 1_024;

    /// <summary>An answer within this time is fast, in milliseconds.</summary>
    public const int FastMs = 5;

    /// <summary>An answer after more than this is slow, in milliseconds.</summary>
    public const int SlowMs = 100;

    /// <summary>What a step costs besides its events: numbers and cursors.</summary>
    public const int StepBytes = 48;

    private long _bytes;
    private int _steps;

    /// <summary>How many bytes the next batch is to have.</summary>
    public int TargetBytes { get; private set; } = TargetBytesMin;

    /// <summary>Whether the batch takes nothing more (B1).</summary>
    public bool IsFull => _bytes >= TargetBytes || _steps >= StepsMax;

    /// <summary>A new batch begins.</summary>
    public void Begin() => (_bytes, _steps) = (0, 0);

    /// <summary>How much a watch may take in its turn (B2); null where it has no credit.</summary>
    public static (int Events, long Bytes)? TurnOf(in CreditAccount credit) => credit.IsSpent
        ? null
        : ((int)Math.Min(credit.Events, QuantumEvents), Math.Min(credit.Bytes, QuantumBytes));

    /// <summary>A step was added.</summary>
    /// <param name="newBytes">The bytes of its blocks that the batch did not have yet.</param>
    public void Added(long newBytes)
    {
        Invariant.That(!IsFull, "B1: a full batch takes nothing more");
        _bytes += newBytes + StepBytes;
        _steps++;
    }

    /// <summary>The batch was answered.</summary>
    /// <param name="afterMs">How long that took.</param>
    /// <param name="moreWaits">Whether more waits already.</param>
    public void Answered(long afterMs, bool moreWaits)
    {
        if (afterMs > SlowMs)
            TargetBytes = Math.Max(TargetBytesMin, TargetBytes / 2);
        else if (afterMs <= FastMs && moreWaits)
            TargetBytes = Math.Min(TargetBytesMax, TargetBytes * 2);
    }
}
