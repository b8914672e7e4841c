namespace Watch.Core.Watching;

/// <summary>Something that is read for a scope or for a subscription, page by page: due again after a failure, and in line for its next page.</summary>
internal abstract class Reading : Due
{
    /// <summary>Whose it is; null where it is the scope's, for everybody who is live.</summary>
    public abstract Subscription? Subscription { get; }

    /// <summary>Whether it stands in line.</summary>
    public bool IsQueued { get; set; }

    /// <summary>How many questions failed one after the other.</summary>
    public int Failures { get; set; }
}

/// <summary>
/// Those who want a page of history or of a snapshot, in the order in which they came; so many are served at once.
/// </summary>
/// <remarks>
/// <para>The problem: a thousand watches that resume at once ask a thousand times, and one that is far behind asks again and again. Whoever
/// answers them has other work, and each answer under way holds memory.</para>
/// <list type="bullet">
/// <item>I-F1: a reading stands in line once, or has one question under way.</item>
/// <item>I-F2: who got a page goes to the end of the line: between two pages of one, everybody who waited when the first was asked for
/// gets one.</item>
/// <item>I-F3: so the bytes under way are at most a page's times the questions that are let go at once.</item>
/// </list>
/// <para>Who leaves the line is skipped when its turn comes.</para>
/// </remarks>
internal sealed class CatchUpQueue(int inFlightMax)
{
    private readonly Queue<Reading> _waiting = new();
    private int _inFlight;

    /// <summary>How many stand in line, or have left it and were not passed yet.</summary>
    public int Waiting => _waiting.Count;

    /// <summary>How many questions are under way.</summary>
    public int InFlight => _inFlight;

    /// <summary>Goes to the end of the line.</summary>
    public void Join(Reading reading)
    {
        if (reading.IsQueued)
            return;
        reading.IsQueued = true;
        _waiting.Enqueue(reading);
    }

    /// <summary>Leaves the line.</summary>
    public void Leave(Reading reading) => reading.IsQueued = false;

    /// <summary>Whose turn it is, if there is room for another question; it is under way from here on.</summary>
    public Reading? TakeNext()
    {
        while (_inFlight < inFlightMax && _waiting.TryDequeue(out var next))
        {
            if (!next.IsQueued)
                continue;
            next.IsQueued = false;
            _inFlight++;
            return next;
        }

        return null;
    }

    /// <summary>A question is over, however it ended, whether or not anybody waits for its answer.</summary>
    public void Ended()
    {
        Invariant.That(_inFlight > 0, "I-F1: a question ends once.");
        _inFlight--;
    }
}
