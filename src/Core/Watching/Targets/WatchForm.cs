namespace Watch.Core.Watching;

/// <summary>Which changes of its target a watch leaves out, and what it does not show of them. The numbers are stable: they travel.</summary>
[Flags]
public enum EventFilter : byte
{
    /// <summary>Everything is delivered and shown.</summary>
    None = 0,

    /// <summary>Puts are left out.</summary>
    NoPuts = 1,

    /// <summary>Deletes are left out.</summary>
    NoDeletes = 2,

    /// <summary>Values are not shown.</summary>
    KeysOnly = 4,

    /// <summary>Puts that do not change the value are left out.</summary>
    OnlyChangedValue = 8,
}

/// <summary>
/// What a watch delivers of its scope's changes, and what it shows of them: all watches of one form are given the same object.
/// </summary>
/// <param name="Filter">The keys.</param>
/// <param name="Events">What is left out.</param>
/// <param name="PreviousValues">Whether the value before is shown.</param>
public sealed record WatchForm(TargetFilter Filter, EventFilter Events, bool PreviousValues)
{
    private const EventFilter LeavesOut = EventFilter.NoPuts | EventFilter.NoDeletes | EventFilter.OnlyChangedValue;

    /// <summary>Whether every change of the filter's scope is delivered.</summary>
    public bool TakesAll => Filter.IsWholeScope && (Events & LeavesOut) == 0;

    /// <summary>Whether the changes that it is made of need their previous values, to show or to compare them.</summary>
    public bool NeedsPreviousValues => PreviousValues || Events.HasFlag(EventFilter.OnlyChangedValue);

    /// <summary>Whether this change is delivered.</summary>
    public bool Takes(Change change)
    {
        ArgumentNullException.ThrowIfNull(change);
        if (!Filter.Matches(change.Key))
            return false;
        if (change.Kind == ChangeKind.Delete)
            return !Events.HasFlag(EventFilter.NoDeletes);
        return !Events.HasFlag(EventFilter.NoPuts)
            && !(Events.HasFlag(EventFilter.OnlyChangedValue) && change.PreviousValue is { } before && before.Span.SequenceEqual(change.Value.Span));
    }

    /// <summary>The value of a change as this form shows it.</summary>
    public ReadOnlyMemory<byte> ValueOf(Change change)
    {
        ArgumentNullException.ThrowIfNull(change);
        return Events.HasFlag(EventFilter.KeysOnly) ? default : change.Value;
    }

    /// <summary>The value before a change as this form shows it.</summary>
    public PreviousValue PreviousOf(Change change) => PreviousValue.Of(change, PreviousValues);

    /// <summary>What is delivered of a revision: null where that is nothing.</summary>
    internal SharedCommit? Of(Commit commit)
    {
        List<Change>? taken = null;
        var all = commit.Changes;
        for (var i = 0; i < all.Count; i++)
            if (Takes(all[i]))
                (taken ??= new List<Change>(1)).Add(all[i]);
        return taken is null ? null : new SharedCommit(commit.Revision, taken.Count == all.Count ? all : taken, this);
    }

    /// <summary>Changes without the values that are not shown; the same object where all are.</summary>
    internal IReadOnlyList<Change> Shown(IReadOnlyList<Change> changes)
    {
        var showsAll = true;
        for (var i = 0; i < changes.Count && showsAll; i++)
            showsAll = ShowsAll(changes[i]);
        if (showsAll)
            return changes;
        var shown = new Change[changes.Count];
        for (var i = 0; i < shown.Length; i++)
            shown[i] = ShowsAll(changes[i]) ? changes[i] : changes[i] with { Value = ValueOf(changes[i]), PreviousValue = PreviousValues ? changes[i].PreviousValue : null };
        return shown;
    }

    private bool ShowsAll(Change change) =>
        (change.Value.IsEmpty || !Events.HasFlag(EventFilter.KeysOnly)) && (PreviousValues || change.PreviousValue is not { IsEmpty: false });

    /// <summary>The size of one change as this form shows it.</summary>
    internal long BytesOf(Change change) =>
        CommitSize.EventBytes + change.Key.Length + ValueOf(change).Length + (PreviousValues ? change.PreviousValue?.Length ?? 0 : 0);
}
