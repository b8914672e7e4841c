using Watch.Core;
using Watch.Core.Watching;

namespace Watch.Core.Tests.Watching;

/// <summary>
/// Where the table meets the world: what reaches it, and what reaches the consumer. Truthful as it stands; a broken variant
/// lies in one place, so that the table together with it behaves like a table with that fault.
/// </summary>
internal class Wire
{
    public virtual void Deliver(WatchTable table, ScopeMessage message, long nowMs) => table.Deliver(BucketId.Default, message, nowMs);

    public virtual void Registered(WatchTable table, SubscriptionId id, Revision now, Revision compacted, Revision head, Revision newest, long nowMs) =>
        table.Registered(id, now, compacted, head, nowMs);

    public virtual void Fetched(WatchTable table, WatchEffect.Fetch fetch, IReadOnlyList<Commit> commits, Revision reached, long nowMs) =>
        table.Fetched(fetch.Id, new HistoryPiece(commits, reached, 0), nowMs);

    public virtual void Compacted(WatchTable table, WatchEffect.Fetch fetch, Revision firstAvailable, long nowMs) =>
        table.FetchCompacted(fetch.Id, firstAvailable, nowMs);

    // Not in every run: a leader that forgets hides what others do wrong.
    public virtual BucketProgress Progressed(Ledger ledger, ProgressAsk ask, int headsMax) => ledger.Answer(ask, headsMax, allMax: headsMax == 2 ? 2 : int.MaxValue);

    public virtual IEnumerable<WatchItems> Taken(Subscription subscription, WatchItems items) => [items];
}
