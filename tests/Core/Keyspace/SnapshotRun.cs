using System.Buffers;
using Watch.Core.Keyspace;

namespace Watch.Core.Tests.Keyspace;

/// <summary>
/// A random history, a snapshot of it that is read while the history goes on, a state made of the snapshot, and what came since applied
/// to that one, too: the two have to be equal.
/// </summary>
internal sealed class SnapshotRun(int seed, KeyspaceRules rules)
{
    private static readonly ResultLimits s_limits = new() { ResultsMax = 12, ResultsPerClientMax = 6, SpanMs = 300 };
    private readonly Random _random = new(seed);
    private readonly BucketState _state = new(s_limits, rules);
    private readonly List<(Command Command, AppliedAt At, string Answer)> _since = [];
    private readonly List<WriteCommand> _numbered = [];
    private readonly List<byte[]> _pieces = [];
    private long _stamp;

    public static void Check(int seed, KeyspaceRules rules, string what)
    {
        try
        {
            new SnapshotRun(seed, rules).Check();
        }
        catch (Exception failure)
        {
            throw new InvalidOperationException($"{what}: run {seed}: {failure.Message}", failure);
        }
    }

    /// <summary>The pieces that are left.</summary>
    public static byte[][] Rest(BucketSnapshot snapshot)
    {
        var pieces = new List<byte[]>();
        var buffer = new ArrayBufferWriter<byte>();
        while (snapshot.TryWritePiece(buffer))
        {
            pieces.Add(buffer.WrittenSpan.ToArray());
            buffer.Clear();
        }

        Assert.True(snapshot.IsComplete);
        return [.. pieces];
    }

    private void Check()
    {
        Step(_random.Next(120));
        var digest = _state.Digest();
        var pieceBytes = _random.Next(1, 400);
        var snapshot = _state.BeginSnapshot(pieceBytes);
        Assert.Equal((_state.Revision, _state.Applied), (snapshot.Revision, snapshot.Applied));
        _since.Clear();
        while (!snapshot.IsComplete)
        {
            Step(_random.Next(6));
            while (!snapshot.IsPrepared && _random.Next(4) > 0)
            {
                snapshot.Prepare(_random.Next(4));
                Step(_random.Next(3));
            }
            var buffer = new ArrayBufferWriter<byte>();
            Assert.True(snapshot.TryWritePiece(buffer));
            _pieces.Add(buffer.WrittenSpan.ToArray());
        }

        snapshot.Dispose();
        var loaded = Load(digest);
        using (var again = loaded.BeginSnapshot(pieceBytes))
            Assert.Equal(_pieces.Select(Convert.ToHexString), Rest(again).Select(Convert.ToHexString));
        GoOn(loaded);
    }

    private BucketState Load(ulong digest)
    {
        var reader = new BucketSnapshotReader(s_limits, KeyspaceRules.Standard);
        foreach (var piece in _pieces)
            reader.Add(piece);

        var loaded = reader.Complete();
        Assert.Equal(digest, loaded.Digest());
        return loaded;
    }

    private void GoOn(BucketState loaded)
    {
        Follow(loaded);
        Assert.Equal(_state.Digest(), loaded.Digest());
        Step(60);
        Follow(loaded);
        Assert.Equal((_state.Digest(), _state.HistoryBytes), (loaded.Digest(), loaded.HistoryBytes));
        foreach (var scope in RandomCommands.KeyPool.SelectMany(Model.ScopesOf).Distinct())
            Assert.Equal(_state.HeadOf(scope), loaded.HeadOf(scope));
    }

    private void Follow(BucketState loaded)
    {
        foreach (var (command, at, answer) in _since)
            Assert.Equal(answer, Text(loaded.Apply(command, at, NothingWatched.Instance)));
        _since.Clear();
    }

    private static string Text(Outcome answer) =>
        $"{answer.Status} {answer.Revision} at {answer.Index} behind {answer.PreviousCompacted} {answer.Previous?.ModRevision} {answer.Previous?.Version} {Convert.ToHexString((answer.Previous?.Value ?? default).Span)}";

    private void Step(int count)
    {
        for (var each = 0; each < count; each++)
        {
            var command = Next();
            _stamp += _random.Next(20);
            var at = new AppliedAt(_state.Applied + 1 + _random.Next(2), new LogTime(_stamp), _random.Next(1000));
            _since.Add((command, at, Text(_state.Apply(command, at, NothingWatched.Instance))));
        }
    }

    private Command Next()
    {
        if (_random.Next(12) == 0)
        {
            var through = _random.NextInt64(_state.Compacted.Value, _state.Revision.Value + 2);
            return new CompactCommand(new Revision(through), _random.Next(2) == 0 ? null : new Revision(_random.NextInt64(through + 1)));
        }

        // New ones, and ones that were sent; now and then another one with an id that was given.
        if (_numbered.Count > 0 && _random.Next(4) == 0)
            return _numbered[^_random.Next(1, Math.Min(20, _numbered.Count) + 1)];
        var write = NextWrite(_random.Next(3) == 0 ? null : NextId());
        if (write.Id is not null)
            _numbered.Add(write);
        return write;
    }

    private WriteCommand NextWrite(WriteId? id)
    {
        var key = RandomCommands.KeyPool[_random.Next(RandomCommands.KeyPool.Count)];
        var condition = _random.Next(8) switch
        {
            0 => Condition.Absent,
            1 => Condition.Exists,
            _ => null,
        };
        return _random.Next(2) == 0
            ? WriteCommand.Delete(key, condition, id)
            : WriteCommand.Put(key, new byte[_random.Next(30)], condition, id);
    }

    private WriteId NextId()
    {
        if (_numbered.Count > 0 && _random.Next(10) == 0)
            return _numbered[^_random.Next(1, Math.Min(20, _numbered.Count) + 1)].Id!.Value;
        var number = _numbered.Count + 1;
        return new WriteId(new ClientId((UInt128)_random.Next(4)), number, new LogIndex(Math.Max(0, _state.Applied.Value - _random.Next(8))), Math.Max(1, number - _random.Next(20)));
    }
}
