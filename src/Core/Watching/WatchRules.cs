namespace Watch.Core.Watching;

/// <summary>
/// The rules that decide whether a watch is complete, one member each, so that a test can break one at a time and show that it is
/// noticed. The product has just <see cref="Kept"/>.
/// </summary>
public class WatchRules
{
    /// <summary>Every rule as it has to be.</summary>
    public static readonly WatchRules Kept = new();

    /// <summary>A message of a revision that the scope has already is dropped.</summary>
    public virtual bool IsLate(Revision revision, Revision cursor) => revision <= cursor;

    /// <summary>A message whose chain begins after the scope's cursor has a gap before it.</summary>
    public virtual bool IsEarly(Revision previous, Revision cursor) => previous > cursor;

    /// <summary>I-P3: a head in an answer is wanted whether or not its scope has started.</summary>
    public virtual bool WantsBeforeStart => true;

    /// <summary>I-P2: an answer of an older term acknowledges nothing.</summary>
    public virtual bool Acknowledges(long ackTerm, long term) => ackTerm == term;

    /// <summary>I-P4: an answer covers the scopes that had started before its question was sent.</summary>
    public virtual bool Covers(long startedBefore, long question) => startedBefore < question;

    /// <summary>T3: a subscription goes live when no change of its scope lies after its cursor.</summary>
    public virtual bool MayGoLive(Revision cursor, Revision lastChange) => cursor >= lastChange;

    /// <summary>I-N2: all pages of one snapshot are of one revision.</summary>
    public virtual bool PinsSnapshots => true;

    /// <summary>I-N3: the end of a snapshot comes after all its pages.</summary>
    public virtual bool SyncsAfterLastPage => true;

    /// <summary>I-S5: only the last fragment of a revision moves the cursor.</summary>
    public virtual bool LastFragmentMoves => true;

    /// <summary>I-S6: every event that was dropped is counted.</summary>
    public virtual bool CountsDropped => true;

    /// <summary>I-S7: a parked subscription goes on behind what was taken.</summary>
    public virtual bool ParksAtTaken => true;

    /// <summary>I-T1: new targets hold from the subscription's own cursor on.</summary>
    public virtual bool RetargetsAtCursor => true;

    /// <summary>Where a client goes on that has everything up to a cursor.</summary>
    public virtual Revision ResumesAt(Revision cursor) => cursor.Next;

    /// <summary>I-H1: a replica answers for everything up to a revision only where it has applied it.</summary>
    public virtual bool IsComplete(Revision replica, Revision upTo) => replica >= upTo;
}
