using System.Diagnostics.CodeAnalysis;

namespace Watch.Core.Keyspace;

/// <summary>
/// The answers to the numbered writes of a bucket: by them a write that arrives twice takes effect once. It is part of the replicated
/// state, kept by log indexes and log time alone, so it is the same on every replica.
/// </summary>
/// <remarks>
/// <para>
/// A client that got no answer sends the same write again, to whoever leads then; the first sending may be in the log already, or may
/// arrive later than the second. So the order in which copies are applied says nothing, and each copy is compared with what is
/// remembered. Nothing can be remembered for ever, and what is forgotten must not be taken for what never was. Hence two marks:
/// a client says which of its numbers it will not send again (<see cref="WriteId.OldestOpen"/>), which lets the table forget most
/// results within one round trip; and every write names an index that its client had seen before its first sending, which
/// tells the writes that are older than what was evicted.
/// </para>
/// <list type="bullet">
/// <item>T1: a write whose result is here is answered with it and changes nothing. Status, revision and index are the result's. The key
/// before the write is not kept here: history has it (<see cref="BucketState"/>), and where compaction took it, the answer says so. So a
/// result is small, whatever others write, and the bounds are counts.</item>
/// <item>T2: a result leaves in one of two ways. Its client said that it has no more use for it: then the number lies below the
/// client's mark. Or it is evicted: then a horizon moves to the index at which it was applied: the client's own if the client had
/// too many, else the bucket's.</item>
/// <item>T3: a client is forgotten with the eviction of its last result and never before. Every write with a result here raised the
/// mark, and the last of them is evicted last, so whatever the mark kept out was first sent below the horizon.</item>
/// <item>T4: a write that has no result here is refused as unknown if it could have had one: its number lies below its client's mark,
/// or its seen index lies below a horizon. For if a copy of it was applied at index a, then its seen index is lower than a,
/// and with the result evicted the horizon is at least a.</item>
/// <item>T5: a write that claims to have seen its own index or a later one was not sent to this log, and is refused, too.</item>
/// <item>T6: eviction goes by index, oldest first: when a result is older than the span in log time, or a limit is passed. The result
/// just made is never evicted.</item>
/// <item>T7: an id belongs to one write. A result keeps the fingerprint of its write (<see cref="WriteFingerprint"/>); another write
/// that comes with the same id is refused as such, and not told the first one's answer.</item>
/// </list>
/// <para>
/// The table is rebuilt from the log, or comes with a snapshot (without it a retry that crosses the snapshot would take effect
/// twice). The cost of a write is two look-ups and constant work, whatever the table holds.
/// </para>
/// </remarks>
internal sealed class ResultTable(ResultLimits limits, KeyspaceRules rules)
{
    private readonly Dictionary<ClientId, ResultClient> _clients = [];
    private readonly Dictionary<(ClientId Client, long Number), ResultRecord> _records = [];

    // What is told before a result leaves or a client's marks change: the open snapshot's part.
    private SharedResults? _sharing;
    private int _shared;

    /// <summary>The index of the last result that was evicted: a write from before it is refused (T4).</summary>
    public LogIndex Horizon { get; private set; }

    public int Count => _records.Count;

    public int ClientCount => _clients.Count;

    public ResultRecord? Oldest { get; private set; }

    private ResultRecord? Newest { get; set; }

    /// <summary>The answer that the write got before (T1).</summary>
    public bool TryFind(in WriteId id, [NotNullWhen(true)] out ResultRecord? result) => _records.TryGetValue((id.Client, id.Number), out result);

    /// <summary>Whether a write without a result here could have had one, or is not of this log (T4, T5).</summary>
    public bool MayBeForgotten(in WriteId id, LogIndex index) =>
        id.Seen >= index
        || rules.IsForgotten(id.Seen, Horizon)
        || (_clients.TryGetValue(id.Client, out var client) && (rules.IsAnswered(id.Number, client.AnsweredBelow) || rules.IsForgotten(id.Seen, client.Horizon)));

    /// <summary>Remembers the answer to a write that has none here.</summary>
    public void Add(in WriteId id, AppliedAt at, ApplyStatus status, Revision revision, ulong fingerprint)
    {
        if (!_clients.TryGetValue(id.Client, out var client))
            _clients.Add(id.Client, client = new ResultClient(id.Client));
        Add(new ResultRecord(client, id.Number, at.Index, at.Stamp, status, revision, fingerprint));
        RaiseMark(client, id.OldestOpen);
        while (client.Count > limits.ResultsPerClientMax && client.Oldest != Newest)
        {
            _sharing?.BeforeChange(client);
            client.Horizon = client.Oldest!.Index;
            Remove(client.Oldest);
        }

        while (Count > limits.ResultsMax && Oldest != Newest)
            EvictOldest();
    }

    /// <summary>Evicts what is older than the span (T6).</summary>
    public void Evict(LogTime now)
    {
        while (Oldest is { } oldest && oldest.Stamp.Value < now.Value - limits.SpanMs)
            EvictOldest();
    }

    public void AddTo(ref StateDigest digest)
    {
        digest.Add(Horizon.Value);
        digest.Add(Count);
        for (var each = Oldest; each is not null; each = each.Newer)
        {
            digest.Add(each.Client.Id.Value);
            digest.Add(each.Client.AnsweredBelow);
            digest.Add(each.Client.Horizon.Value);
            each.AddTo(ref digest);
        }
    }

    /// <summary>What is here now, for a snapshot. It is copied bit by bit while the table goes on; <see cref="Unshare"/> ends it.</summary>
    public SharedResults Share()
    {
        var shared = new SharedResults(++_shared, Horizon, ClientCount, Count, Oldest, Newest);
        _sharing = rules.SavesResultsForSnapshots ? shared : null;
        return shared;
    }

    /// <summary>The snapshot is done.</summary>
    public void Unshare() => _sharing = null;

    /// <summary>Takes over what a snapshot holds; the results have to follow in their order.</summary>
    internal void Restore(LogIndex horizon) => Horizon = horizon;

    internal bool TryRestore(ResultClient client) => _clients.TryAdd(client.Id, client);

    internal bool TryRestore(ResultRecord record)
    {
        if (_records.ContainsKey(record.Key))
            return false;
        Add(record);
        return true;
    }

    private void Add(ResultRecord record)
    {
        Invariant.That(_records.TryAdd(record.Key, record), "T1: a write has one result");
        record.Older = Newest;
        if (Newest is null)
            Oldest = record;
        else
            Newest.Newer = record;
        Newest = record;
        record.Client.Append(record);
    }

    private void Remove(ResultRecord record)
    {
        _sharing?.BeforeRemoval(record);
        _records.Remove(record.Key);
        if (record.Older is null)
            Oldest = record.Newer;
        else
            record.Older.Newer = record.Newer;
        if (record.Newer is null)
            Newest = record.Older;
        else
            record.Newer.Older = record.Older;
        record.Client.Remove(record);
    }

    private void EvictOldest()
    {
        var record = Oldest!;
        Horizon = record.Index;
        Remove(record);
        if (record.Client.Count == 0)
            _clients.Remove(record.Client.Id);
    }

    // By number or by result, whichever are fewer: a client's numbers are each passed once, so either way this is constant over time.
    private void RaiseMark(ResultClient client, long oldestOpen)
    {
        if (oldestOpen <= client.AnsweredBelow)
            return;
        if (oldestOpen - client.AnsweredBelow <= client.Count)
        {
            for (var number = client.AnsweredBelow; number < oldestOpen; number++)
                if (_records.TryGetValue((client.Id, number), out var answered))
                    Remove(answered);
        }
        else
        {
            for (var each = client.Oldest; each is not null;)
            {
                var newer = each.NewerOfClient;
                if (each.Number < oldestOpen)
                    Remove(each);
                each = newer;
            }
        }

        _sharing?.BeforeChange(client);
        client.AnsweredBelow = oldestOpen;
    }
}

/// <summary>What is remembered of a client; it has at least one result.</summary>
internal sealed class ResultClient(ClientId id)
{
    public ClientId Id { get; } = id;

    /// <summary>Every lower number has been answered, or given up by the client.</summary>
    public long AnsweredBelow { get; set; } = 1;

    /// <summary>The index of the last result that this client lost because it had too many.</summary>
    public LogIndex Horizon { get; set; }

    public int Count { get; private set; }

    public ResultRecord? Oldest { get; private set; }

    /// <summary>Its place in a snapshot, by the snapshot's number.</summary>
    public (int Snapshot, int Place) SnapshotPlace { get; set; }

    /// <summary>Its marks at the beginning of a snapshot, by the snapshot's number, where they have changed since.</summary>
    public (int Snapshot, SharedClient Marks) BeforeSnapshot { get; set; }

    private ResultRecord? Newest { get; set; }

    public void Append(ResultRecord record)
    {
        Count++;
        record.OlderOfClient = Newest;
        if (Newest is null)
            Oldest = record;
        else
            Newest.NewerOfClient = record;
        Newest = record;
    }

    public void Remove(ResultRecord record)
    {
        Count--;
        if (record.OlderOfClient is null)
            Oldest = record.NewerOfClient;
        else
            record.OlderOfClient.NewerOfClient = record.NewerOfClient;
        if (record.NewerOfClient is null)
            Newest = record.OlderOfClient;
        else
            record.NewerOfClient.OlderOfClient = record.OlderOfClient;
    }
}

/// <summary>The answer to one numbered write, in two lists by index: that of all results and that of its client's.</summary>
internal sealed class ResultRecord(ResultClient client, long number, LogIndex index, LogTime stamp, ApplyStatus status, Revision revision, ulong fingerprint)
{
    public ResultClient Client { get; } = client;

    public long Number { get; } = number;

    /// <summary>Where the write was applied.</summary>
    public LogIndex Index { get; } = index;

    public LogTime Stamp { get; } = stamp;

    public ApplyStatus Status { get; } = status;

    public Revision Revision { get; } = revision;

    /// <summary>That of the write (T7).</summary>
    public ulong Fingerprint { get; } = fingerprint;

    public (ClientId Client, long Number) Key => (Client.Id, Number);

    public ResultRecord? Older { get; set; }

    public ResultRecord? Newer { get; set; }

    public ResultRecord? OlderOfClient { get; set; }

    public ResultRecord? NewerOfClient { get; set; }

    public void AddTo(ref StateDigest digest)
    {
        digest.Add(Number);
        digest.Add(Index.Value);
        digest.Add(Stamp.Value);
        digest.Add((long)Status);
        digest.Add(Revision.Value);
        digest.Add((long)Fingerprint);
    }
}
