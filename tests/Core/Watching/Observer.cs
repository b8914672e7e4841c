using Watch.Core;
using Watch.Core.Watching;

namespace Watch.Core.Tests.Watching;

/// <summary>A promise of a watch was not kept.</summary>
internal sealed class BrokenPromiseException(string message) : Exception(message);

/// <summary>
/// One consumer with a memory, and the judge of what it was given: the committed changes of its target after its start, in
/// order, once, whole, up to its cursor at every take; where its policy drops, those or a count of them. It knows the ledger
/// and nothing of the table, and matches keys with code of its own.
/// </summary>
internal sealed class Observer(Subscription subscription)
{
    private readonly WatchSpec _spec = subscription.Spec;
    private readonly List<Change> _seen = [];
    private readonly List<SlowRule> _rules = [subscription.Spec.WhenSlow];
    private readonly List<(Revision From, WatchTarget Target)> _targets = [(Revision.None, subscription.Spec.Target)];
    private long _version;
    private int _boundMax = subscription.Spec.QueueEventsMax;
    private int? _queuedAtEnd;
    private Revision? _chain;
    private long _number;
    private long _lagged;
    private int _fragmentOf;
    private bool _isStale;
    private long _versionTold;
    private Revision _fromTold;

    public Subscription Subscription => subscription;

    /// <summary>What the leader answered to the registration, as far as the answer arrived.</summary>
    public Revision? AnsweredAt { get; set; }

    /// <summary>The number of its last change of targets.</summary>
    public long Version => _version;

    public EndNotice? End { get; private set; }

    public int Seen => _seen.Count;

    public long Lagged => _lagged;

    public long Fragments { get; private set; }

    /// <summary>The last word about how far it is.</summary>
    public WatchPart.Progress? LastProgress { get; set; }

    public int StaleTold { get; private set; }

    public int TargetsTold { get; private set; }

    private Revision? Start => _spec.StartAt?.Previous ?? AnsweredAt;

    private bool MayLag => _rules.Any(rule => rule == SlowRule.DropNewest || rule == SlowRule.DropOldest || rule == SlowRule.Latest);

    public void PolicyChanges(SlowRule rule, int eventsMax)
    {
        if (subscription.State == SubscriptionState.Ended)
            return;
        _rules.Add(rule);
        _boundMax = Math.Max(_boundMax, eventsMax);
    }

    /// <summary>It was given other targets, which hold behind this revision; where it has no start yet, from its start on.</summary>
    public void Retargeted(Revision? from, WatchTarget target)
    {
        if (subscription.State == SubscriptionState.Ended)
            return;
        if (from is { } at)
            _targets.Add((at, target));
        else
            _targets[^1] = (_targets[^1].From, target);
        _version++;
    }

    private List<Change> Truth(Ledger ledger, Revision after, Revision upTo)
    {
        var truth = new List<Change>();
        for (var i = 0; i < _targets.Count; i++)
        {
            var end = i + 1 < _targets.Count ? Revision.Min(upTo, _targets[i + 1].From) : upTo;
            truth.AddRange(ledger.Truth(_targets[i].Target, _spec.Filter, Revision.Max(after, _targets[i].From), end).Select(Shown));
        }

        return truth;
    }

    // Whether a change carries what is not shown of it is no business of its reader.
    private Change Shown(Change change) => change with
    {
        Value = _spec.Filter.HasFlag(EventFilter.KeysOnly) ? default : change.Value,
        PreviousValue = _spec.PreviousValues ? change.PreviousValue : null,
    };

    /// <summary>Looks at the queue as it stands; called after every step, so that an end is seen before anything is taken.</summary>
    public void Look()
    {
        Demand(subscription.QueuedEvents <= Math.Max(_boundMax, Simulation.WritesPerCommitMax), $"the queue holds {subscription.QueuedEvents} events");
        if (subscription.State == SubscriptionState.Ended)
            _queuedAtEnd ??= subscription.QueuedEvents;
    }

    public void Take(WatchItems items, Ledger ledger)
    {
        Demand(End is null, "something came after the end");
        Demand(items.Number == ++_number, $"take {items.Number} came as number {_number}");
        Demand(items.Previous == (_chain ?? Start), $"batch names {items.Previous} as previous, not {_chain ?? Start}");
        Demand(items.Parts.Count > 0 != items.End is not null, "a batch has either parts or an end");
        foreach (var part in items.Parts)
            Take(part);
        Demand(LastProgress is null || LastProgress.Revision <= ledger.Now, $"it is told that it is at {LastProgress?.Revision} of {ledger.Now}");
        _chain = items.End is { } ? items.Revision : items.Parts.Aggregate(_chain ?? Start, CursorAfter);
        Demand(items.Revision == _chain, $"batch names {items.Revision} as its revision, not {_chain}");
        // What was overtaken in a revision that came in fragments is counted in the next take.
        if (!(MayLag && items.Parts is [.., WatchPart.Fragment]))
            CheckCount(ledger, items.Revision);
        if (items.End is not { } end)
            return;
        End = end;
        CheckSeen(ledger, end.Cursor);
        CheckReason(ledger, end);
    }

    /// <summary>The judgement when all is delivered that will be.</summary>
    public void Conclude(Ledger ledger)
    {
        Demand((subscription.State == SubscriptionState.Ended) == (End is not null), $"it is {subscription.State}, but its end was {(End is null ? "not " : "")}seen");
        if (End is null)
        {
            Demand(subscription.State == SubscriptionState.Live, $"it is {subscription.State} though all was answered");
            CheckSeen(ledger, ledger.Now);
            Demand(_versionTold == _version, $"it was told of change {_versionTold} of targets, not of {_version}");
            Demand(!_isStale, "it is stale though the leader was asked");
            Demand(LastProgress?.Revision == ledger.Now && LastProgress.ConfirmedWallMs == ledger.WallMs, $"it asked how far it is, and was told {LastProgress}");
        }
    }

    /// <summary>That what was seen is the truth up to this revision: exactly, or as much of it as its policies leave.</summary>
    private void CheckSeen(Ledger ledger, Revision? upTo)
    {
        if (Start is not { } start || upTo is not { } end)
        {
            Demand(_seen.Count == 0 && _lagged == 0, "changes came before there was a start");
            return;
        }

        var truth = Truth(ledger, start, end);
        Demand(_seen.Count + _lagged == truth.Count, $"of {truth.Count} changes after {start} up to {end} {_seen.Count} were delivered and {_lagged} counted");
        if (MayLag)
            CheckWhatIsLeft(truth);
        else
            for (var i = 0; i < truth.Count; i++)
                Demand(truth[i] == _seen[i], $"change {i} after {start} up to {end} is {_seen[i].Key} in revision {_seen[i].Revision}, not {truth[i].Key} in {truth[i].Revision}");
    }

    private void CheckWhatIsLeft(List<Change> truth)
    {
        var at = -1;
        foreach (var change in _seen)
        {
            var next = truth.IndexOf(change, at + 1);
            Demand(next > at, $"{change.Key} in revision {change.Revision} is repeated, out of order, or was never committed");
            at = next;
        }

        // What overtook may lie behind the end's cursor: a watch that goes on there is given it.
        if (End is not null || _rules.Any(rule => rule == SlowRule.DropNewest || rule == SlowRule.DropOldest))
            return;
        foreach (var newest in truth.GroupBy(change => change.Key).Select(changes => changes.Last()))
            Demand(_seen.Last(change => change.Key == newest.Key) == newest, $"the newest change of {newest.Key} was overtaken by an older one");
    }

    /// <summary>At every cursor, what was delivered and what was counted is all there was.</summary>
    private void CheckCount(Ledger ledger, Revision? cursor)
    {
        if (Start is not { } start || cursor is not { } upTo)
            return;
        var expected = Truth(ledger, start, upTo).Count;
        Demand(_seen.Count(change => change.Revision <= upTo) + _lagged == expected, $"up to {upTo} {expected} changes were committed, {_seen.Count} delivered, {_lagged} counted");
    }

    private void Take(WatchPart part)
    {
        switch (part)
        {
            case WatchPart.Events { Commit: var commit }:
                Demand(_fragmentOf == 0, "a revision comes between fragments");
                See(commit, 0, commit.Changes.Count);
                break;
            case WatchPart.Fragment fragment:
                Demand(fragment.First == _fragmentOf && fragment.Count > 0, $"a fragment begins at {fragment.First}, not {_fragmentOf}");
                See(fragment.Commit, fragment.First, fragment.Count);
                Fragments++;
                _fragmentOf = fragment.IsLast ? 0 : fragment.First + fragment.Count;
                Demand(fragment.IsLast == (fragment.First + fragment.Count == fragment.Commit.Changes.Count), "a fragment does not know whether it is the last");
                break;
            case WatchPart.Lagged lagged:
                Demand(_fragmentOf == 0 && MayLag, "events were dropped though no policy allows that");
                _lagged += lagged.Count;
                break;
            case WatchPart.TargetsChanged changed:
                Demand(_fragmentOf == 0, "the targets change between fragments");
                Demand(changed.Version > _versionTold && changed.Version <= _version, $"change {changed.Version} of targets is told after {_versionTold} of {_version}");
                Demand(_seen.Count == 0 || _seen[^1].Revision <= changed.From, $"the targets changed behind {changed.From}, but {_seen.LastOrDefault()?.Revision} came before");
                _versionTold = changed.Version;
                _fromTold = changed.From;
                TargetsTold++;
                break;
            case WatchPart.Progress progress:
                Demand(_fragmentOf == 0 && (progress.Revision >= (_chain ?? Start) || (_chain ?? Start) < _spec.StartAt), $"it is told that it is at {progress.Revision}");
                Demand(progress.Revision.Value >= progress.ConfirmedWallMs - 1, $"it is told to be complete as of revision {progress.ConfirmedWallMs - 1}, but is at {progress.Revision}");
                (LastProgress, _isStale) = (progress, false);
                break;
            case WatchPart.Stale stale:
                Demand(stale.SilentMs >= _spec.StaleAfterMs, $"it is stale after {stale.SilentMs} ms");
                Demand(!_isStale, "it is told twice that it is stale");
                _isStale = true;
                StaleTold++;
                break;
            default:
                Demand(false, $"{part} was not asked for");
                break;
        }
    }

    private void See(SharedCommit commit, int first, int count)
    {
        for (var i = first; i < first + count; i++)
        {
            Demand(commit.Revision > _fromTold, $"revision {commit.Revision} came behind the change of targets at {_fromTold}");
            Demand(commit.Changes[i].Revision == commit.Revision, "a change is not of its revision");
            var (value, previous) = (commit.Form.ValueOf(commit.Changes[i]), commit.Form.PreviousOf(commit.Changes[i]));
            Demand(value.IsEmpty || !_spec.Filter.HasFlag(EventFilter.KeysOnly), "a value is shown though keys only were asked for");
            Demand(previous.State == PreviousState.NotAsked != _spec.PreviousValues, "the previous value is shown or not against what was asked");
            _seen.Add(Shown(commit.Changes[i]));
        }
    }

    private static Revision? CursorAfter(Revision? cursor, WatchPart part) => part switch
    {
        WatchPart.Lagged lagged => lagged.UpTo,
        WatchPart.Events events => events.Commit.Revision,
        WatchPart.Fragment { IsLast: true } last => last.Commit.Revision,
        WatchPart.Progress progress => cursor is { } before ? Revision.Max(before, progress.Revision) : progress.Revision,
        WatchPart.TargetsChanged changed => Revision.Max(cursor ?? changed.From, changed.From),
        _ => cursor,
    };

    private void CheckReason(Ledger ledger, EndNotice end)
    {
        if (end.Reason == EndReason.Slow && !end.Key.IsEmpty)
        {
            var next = Truth(ledger, end.Cursor!.Value, ledger.Now);
            var together = next.Count(change => change.Revision == next[0].Revision);
            Demand(next.Count > 0 && _queuedAtEnd > 0 && _queuedAtEnd + together > subscription.QueueEventsMax,
                $"it was canceled with {_queuedAtEnd} events queued and {together} to come");
            Demand(next[0].Key == end.Key, $"it was canceled for {end.Key}, not {next[0].Key}");
        }

        if (end.Reason == EndReason.Compacted)
            Demand(end.FirstAvailable > end.Cursor!.Value.Next && end.FirstAvailable <= ledger.CompactedThrough.Next, $"first available is {end.FirstAvailable} at cursor {end.Cursor}");
    }

    private void Demand(bool holds, string problem)
    {
        if (!holds)
            throw new BrokenPromiseException($"subscription {subscription.Id} of {string.Join(", then ", _targets)} under {string.Join(", ", _rules)}: {problem}");
    }
}
