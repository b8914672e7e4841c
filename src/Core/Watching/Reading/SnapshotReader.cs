namespace Watch.Core.Watching;

/// <summary>
/// A subscription's reading of the keys of its target as they are: where it stands, and what it has that did not fit into the queue yet.
/// </summary>
/// <param name="subscription">Whose it is.</param>
/// <param name="atLeast">The state that is read must have come so far.</param>
/// <param name="isResync">Whether it stands for changes that cannot be had any more.</param>
internal sealed class SnapshotReader(Subscription subscription, Revision atLeast, bool isResync) : Reading
{
    private readonly IReadOnlyList<KeyRange> _ranges = subscription.Group.Form.Filter.Ranges;
    private int _range;

    public override Subscription? Subscription => subscription;

    public bool IsResync => isResync;

    /// <summary>The question under way.</summary>
    public SnapshotId? InFlight { get; set; }

    /// <summary>The state that is read must have come so far.</summary>
    public Revision AtLeast { get; private set; } = atLeast;

    /// <summary>The revision of which all its pages are (I-N2); null before the first.</summary>
    public Revision? At { get; set; }

    /// <summary>How often it began anew, since what it had read could not be read on.</summary>
    public int Restarts { get; private set; }

    /// <summary>A page that did not fit.</summary>
    public SharedPage? Page { get; set; }

    /// <summary>The range that it reads.</summary>
    public KeyRange Range => _ranges[_range];

    /// <summary>The last key of that range that was looked at.</summary>
    public Key? After { get; private set; }

    /// <summary>Whether all ranges are read.</summary>
    public bool IsDone => _range == _ranges.Count;

    /// <summary>
    /// Whether a page brings the reading on. One that says that there is more, and none of it, would be asked for for ever; to pass it by would
    /// leave out what the range has, and nobody would know.
    /// </summary>
    public bool GoesOn(SnapshotPiece piece) => !piece.More || (LastOf(piece) is { } last && (After is not { } before || last > before));

    /// <summary>A page was read, which goes on.</summary>
    public void Advance(SnapshotPiece piece)
    {
        if (piece.More)
            After = LastOf(piece);
        else
            (_range, After) = (_range + 1, null);
    }

    // Where much is gone a page may be empty, and the next one goes on all the same.
    private static Key? LastOf(SnapshotPiece piece) => piece.Last ?? (piece.Items.Count > 0 ? piece.Items[^1].Key : null);

    /// <summary>What was read of one revision cannot be read on: it begins with a later one, and what was gathered is void (I-N4).</summary>
    public void Restart(Revision firstAvailable)
    {
        Restarts++;
        (_range, After, At, Page) = (0, null, null, null);
        AtLeast = Revision.Max(AtLeast, firstAvailable);
    }
}
