namespace Watch.Core.Keyspace;

/// <summary>A client's marks at one moment.</summary>
internal readonly record struct SharedClient(ClientId Id, long AnsweredBelow, LogIndex Horizon);

/// <summary>
/// The results at one moment: clients in the order of their oldest results, and the results in order.
/// </summary>
/// <remarks>
/// A table may hold a quarter of a million results, and following them one by one through memory takes tens of milliseconds, for which
/// every write would wait. So they are copied bit by bit (<see cref="Copy(int)"/>) between the applies that go on meanwhile. Results never
/// change; they are added behind the last one of that moment, and they leave anywhere. One that leaves before it was copied is
/// saved by the table (<see cref="BeforeRemoval"/>) and copied in its place, and of a client whose marks change for the first time the old
/// ones are saved (<see cref="BeforeChange"/>).
/// </remarks>
internal sealed class SharedResults(int number, LogIndex horizon, int clientCount, int count, ResultRecord? oldest, ResultRecord? newest)
{
    private readonly List<SharedClient> _clients = [];
    private readonly List<ResultRecord> _records = [];

    // Those that left before they were copied, by index.
    private readonly PriorityQueue<ResultRecord, long> _left = new();
    private ResultRecord? _next = oldest;

    public static SharedResults None => new(0, LogIndex.None, 0, 0, null, null);

    public LogIndex Horizon => horizon;

    public int ClientCount => clientCount;

    public int Count => count;

    /// <summary>Whether all were copied: before that, <see cref="Clients"/> and <see cref="Records"/> are not whole.</summary>
    public bool IsCopied => _records.Count == count;

    public IReadOnlyList<SharedClient> Clients => _clients;

    public IReadOnlyList<ResultRecord> Records => _records;

    /// <summary>The place of a result's client among <see cref="Clients"/>.</summary>
    public int PlaceOf(ResultRecord record) => record.Client.SnapshotPlace.Place;

    /// <summary>Copies so many more, at most.</summary>
    public void Copy(int most)
    {
        for (var each = 0; each < most && !IsCopied; each++)
            Copy(Take());
        Invariant.That(!IsCopied || (_clients.Count == clientCount && _left.Count == 0), "S1: every client and every result that there was is told of");
    }

    /// <summary>A result leaves the table.</summary>
    public void BeforeRemoval(ResultRecord record)
    {
        if (IsCopied || newest is null || record.Index > newest.Index || (_records.Count > 0 && record.Index <= _records[^1].Index))
            return;
        if (record == _next)
            _next = record.Newer;
        _left.Enqueue(record, record.Index.Value);
    }

    /// <summary>A client's marks are about to change.</summary>
    public void BeforeChange(ResultClient client)
    {
        if (!IsCopied && client.BeforeSnapshot.Snapshot != number)
            client.BeforeSnapshot = (number, MarksOf(client));
    }

    private ResultRecord Take()
    {
        if (_left.TryPeek(out var left, out _) && (_next is null || left.Index < _next.Index))
            return _left.Dequeue();
        var next = _next!;
        _next = next.Newer;
        return next;
    }

    private void Copy(ResultRecord record)
    {
        var client = record.Client;
        if (client.SnapshotPlace.Snapshot != number)
        {
            client.SnapshotPlace = (number, _clients.Count);
            _clients.Add(client.BeforeSnapshot.Snapshot == number ? client.BeforeSnapshot.Marks : MarksOf(client));
        }

        _records.Add(record);
    }

    private static SharedClient MarksOf(ResultClient client) => new(client.Id, client.AnsweredBelow, client.Horizon);
}
