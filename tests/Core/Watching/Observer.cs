using Watch.Core;
using Watch.Core.Watching;

namespace Watch.Core.Tests.Watching;

/// <summary>A promise of a watch was not kept.</summary>
internal sealed class BrokenPromiseException(string message) : Exception(message);

/// <summary>
/// One consumer with a memory, and the judge of what it was given: the committed changes of its target after its start, in
/// order, once, whole; or exactly those up to the cursor of its end. It knows the ledger and nothing of the table.
/// </summary>
internal sealed class Observer(Subscription subscription, Scope scope)
{
    private readonly List<SharedCommit> _seen = [];
    private int? _queuedAtEnd;
    private Revision? _chain;

    public Subscription Subscription => subscription;

    /// <summary>What the leader answered to the registration, as far as the answer arrived.</summary>
    public Revision? AnsweredAt { get; set; }

    public EndNotice? End { get; private set; }

    public int Seen => _seen.Count;

    private Revision? Start => subscription.Spec.StartAt?.Previous ?? AnsweredAt;

    /// <summary>Looks at the queue as it stands; called after every step, so that an end is seen before anything is taken.</summary>
    public void Look()
    {
        Demand(subscription.QueuedEvents <= Math.Max(subscription.Spec.QueueEventsMax, Simulation.WritesPerCommitMax), $"the queue holds {subscription.QueuedEvents} events");
        if (subscription.State == SubscriptionState.Ended)
            _queuedAtEnd ??= subscription.QueuedEvents;
    }

    public void Take(WatchItems items, Ledger ledger)
    {
        Demand(End is null, "something came after the end");
        Demand(items.Previous == (_chain ?? Start), $"batch names {items.Previous} as previous, not {_chain ?? Start}");
        Demand(items.Parts.Count > 0 != items.End is not null, "a batch has either commits or an end");
        _seen.AddRange(items.Commits());
        if (items.Parts.Count > 0)
            _chain = items.Revision;
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
        }
    }

    /// <summary>That what was seen is exactly the truth up to this revision.</summary>
    public void CheckSeen(Ledger ledger, Revision? upTo)
    {
        if (Start is not { } start || upTo is not { } end)
        {
            Demand(_seen.Count == 0, "changes came before there was a start");
            return;
        }

        var truth = ledger.Truth(scope, start, end);
        for (var i = 0; i < Math.Max(truth.Count, _seen.Count); i++)
        {
            var (expected, actual) = (truth.ElementAtOrDefault(i), _seen.ElementAtOrDefault(i));
            Demand(expected?.Revision == actual?.Revision, $"change {i} after {start} up to {end} has revision {actual?.Revision}, not {expected?.Revision}");
            Demand(expected!.Changes.SequenceEqual(actual!.Changes), $"revision {expected.Revision} is not whole or not as committed");
        }
    }

    private void CheckReason(Ledger ledger, EndNotice end)
    {
        if (end.Reason == EndReason.Slow)
        {
            var next = ledger.Truth(scope, end.Cursor!.Value, ledger.Now).FirstOrDefault();
            Demand(next is not null && _queuedAtEnd > 0 && _queuedAtEnd + next.Changes.Count > subscription.Spec.QueueEventsMax,
                $"it was canceled with {_queuedAtEnd} events queued and {next?.Changes.Count} to come");
            Demand(next!.Changes[0].Key == end.Key, $"it was canceled for {end.Key}, not {next.Changes[0].Key}");
        }

        if (end.Reason == EndReason.Compacted)
            Demand(end.FirstAvailable > end.Cursor!.Value.Next && end.FirstAvailable <= ledger.CompactedThrough.Next, $"first available is {end.FirstAvailable} at cursor {end.Cursor}");
    }

    private void Demand(bool holds, string problem)
    {
        if (!holds)
            throw new BrokenPromiseException($"subscription {subscription.Id} of {scope}: {problem}");
    }
}
