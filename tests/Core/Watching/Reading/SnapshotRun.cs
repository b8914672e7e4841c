using Watch.Core;
using Watch.Core.Watching;

namespace Watch.Core.Tests.Watching;

/// <summary>
/// Watches that begin with a snapshot, under one seed: pages of any size, lost, failed and late; messages lost; compaction running; a
/// reader that parks. Whoever keeps the keys by what it is given has the store at each revision that it is told of.
/// </summary>
internal sealed class SnapshotRun
{
    private static readonly string[] s_targets = ["prefix /a/", "prefix /", "/a/1", "prefix /a/b/"];

    private readonly Random _random;
    private readonly WatchTable _table;
    private readonly Ledger _ledger = new();
    private readonly List<WatchEffect> _requests = [];
    private readonly List<ScopeMessage> _messages = [];
    private readonly List<SubscriptionId> _room = [];
    private readonly List<Keeper> _keepers = [];
    private readonly int _seed;
    private int _lossPercent;
    private long _nowMs;

    public SnapshotRun(int seed, WatchRules rules)
    {
        _seed = seed;
        _random = new Random(seed);
        _lossPercent = _random.Next(3) * 15;
        _table = new WatchTable(new WatchTableOptions { FetchEventsMax = _random.Next(1, 6), FetchesInFlightMax = _random.Next(1, 4), HoldMs = _random.Next(3), RecentCommitsMax = _random.Next(4) }, new Random(seed), _room.Add, rules);
    }

    public int Synced => _keepers.Sum(each => each.Synced);

    public int Resynced => _keepers.Sum(each => each.Resynced);

    public int Restarted => _keepers.Sum(each => each.Begun - each.Synced);

    /// <summary>A page of the ledger's keys, as a replica answers it that looks at so many, gone ones among them.</summary>
    public static SnapshotPiece Page(Ledger ledger, WatchEffect.ReadSnapshot read, int visitsMax)
    {
        var at = read.Pinned ?? ledger.Now;
        var keys = KeysAt(ledger, at);
        var ever = ledger.Truth(Scope.Bucket, Revision.None, ledger.Now).SelectMany(commit => commit.Changes).Select(change => change.Key);
        var all = ever.Distinct().Order().Where(key => read.Range.Contains(key) && (read.After is not { } after || key > after)).ToList();
        var seen = all.Take(visitsMax).ToList();
        return new SnapshotPiece(at, [.. seen.Where(keys.ContainsKey).Select(key => keys[key])], all.Count > visitsMax, all.Count > visitsMax ? seen[^1] : null);
    }

    public void Play()
    {
        for (var i = 0; i < 12; i++)
            Commit();
        for (var step = 0; step < 400; step++)
        {
            Step();
            _requests.AddRange(_table.TakeEffects());
        }

        Heal();
        foreach (var keeper in _keepers)
            keeper.Conclude(_ledger);
    }

    private void Step()
    {
        switch (_random.Next(100))
        {
            case < 22: Commit(); break;
            case < 40: Deliver(); break;
            case < 45 when _keepers.Count < 6: Begin(); break;
            case < 70: Serve(); break;
            case < 88: Take(); break;
            case < 91: _ledger.Compact(new Revision(_ledger.Now.Value - _random.Next(6))); break;
            case < 95: Tick(); break;
            case < 97: Ask(); break;
            default: Continue(); break;
        }
    }

    private void Begin()
    {
        var target = s_targets[_random.Next(s_targets.Length)];
        var spec = new WatchSpec { Target = Desk.Target(target), Snapshot = true, WhenSlow = SlowRule.Park, QueueEventsMax = _random.Next(1, 8) };
        _keepers.Add(new Keeper(_table.Subscribe(spec, _nowMs), Desk.ScopeOf(target), $"seed {_seed}, watch of {target}"));
    }

    private void Commit()
    {
        var keys = new[] { "/a/1", "/a/2", "/a/b/1", "/a/b/2", "/c", "x" }.OrderBy(_ => _random.Next()).Take(_random.Next(1, 3));
        _messages.AddRange(_ledger.Commit([.. keys.Select(key => (key, _random.Next(3) == 0 ? null : $"{_random.Next(100)}"))]));
    }

    private void Deliver()
    {
        if (_messages.Count == 0)
            return;
        var message = _messages[0];
        _messages.RemoveAt(0);
        if (!IsLost())
            _table.Deliver(BucketId.Default, message, _nowMs);
    }

    private void Serve()
    {
        if (_requests.Count == 0)
            return;
        // Those of one scope that change the leader's registry stay in order.
        var at = _random.Next(_requests.Count);
        at = _requests.FindIndex(each => each.GetType() == _requests[at].GetType() && each.Scope == _requests[at].Scope);
        var request = _requests[at];
        _requests.RemoveAt(at);
        switch (request)
        {
            case WatchEffect.RegisterScope register:
                _ledger.Register(register.Scope);
                _table.Registered(register.Subscription, _ledger.Now, _ledger.CompactedThrough, _ledger.Head(register.Scope), _nowMs);
                break;
            case WatchEffect.ReadSnapshot read when IsLost():
                _table.SnapshotFailed(read.Id, _nowMs);
                break;
            case WatchEffect.ReadSnapshot read when read.Pinned < _ledger.CompactedThrough:
                _table.SnapshotCompacted(read.Id, _ledger.CompactedThrough, _nowMs);
                break;
            case WatchEffect.ReadSnapshot read:
                _table.Snapshotted(read.Id, Page(_ledger, read, Math.Min(read.KeysMax, _random.Next(1, 4))), _nowMs);
                break;
            case WatchEffect.Fetch fetch when IsLost():
                _table.FetchFailed(fetch.Id, _nowMs);
                break;
            case WatchEffect.Fetch fetch when fetch.After < _ledger.CompactedThrough:
                _table.FetchCompacted(fetch.Id, _ledger.CompactedThrough.Next, _nowMs);
                break;
            case WatchEffect.Fetch fetch:
                _table.Fetched(fetch.Id, new HistoryPiece(_ledger.Truth(fetch.Scope, fetch.After, fetch.UpTo), fetch.UpTo, 0), _nowMs);
                break;
        }
    }

    private void Take()
    {
        if (_keepers.Count > 0)
            _keepers[_random.Next(_keepers.Count)].Take(_ledger, _random.Next(1, 4));
    }

    private void Tick()
    {
        _nowMs += _random.Next(2_000);
        _table.Tick(_nowMs);
    }

    private void Ask()
    {
        var ask = _table.BeginProgress(BucketId.Default, _nowMs);
        _table.Progress(ask, _ledger.Answer(ask), _nowMs);
    }

    private void Continue()
    {
        foreach (var id in _room.ToArray())
            _table.Continue(id, _nowMs);
        _room.Clear();
    }

    private bool IsLost() => _random.Next(100) < _lossPercent;

    private void Heal()
    {
        _messages.Clear();
        _lossPercent = 0;
        for (var round = 0; round < 300; round++)
        {
            foreach (var keeper in _keepers)
                while (keeper.Take(_ledger, 100))
                {
                }

            Continue();
            Ask();
            Tick();
            _requests.AddRange(_table.TakeEffects());
            if (_requests.Count == 0 && round > 10 && _keepers.TrueForAll(each => each.IsAtRest))
                return;
            while (_requests.Count > 0)
            {
                Serve();
                _requests.AddRange(_table.TakeEffects());
            }
        }

        throw new BrokenPromiseException($"seed {_seed}: the table does not come to rest");
    }

    private static SortedDictionary<Key, KeyValue> KeysAt(Ledger ledger, Revision at)
    {
        var keys = new SortedDictionary<Key, KeyValue>();
        foreach (var change in ledger.Truth(Scope.Bucket, Revision.None, at).SelectMany(commit => commit.Changes))
            if (change.Kind == ChangeKind.Put)
                keys[change.Key] = new KeyValue(change.Key, change.Value, change.CreateRevision, change.Revision, change.Version);
            else
                keys.Remove(change.Key);
        return keys;
    }

    /// <summary>Keeps the keys of one watch by what it is given, and compares them with the ledger at each revision that it is told of.</summary>
    private sealed class Keeper(Subscription subscription, Scope scope, string name)
    {
        private SortedDictionary<Key, KeyValue> _keys = [];
        private SortedDictionary<Key, KeyValue>? _gathered;
        private Revision _at;
        private Revision? _synced;
        private bool _isResync;
        private EndReason? _end;

        public int Begun { get; private set; }

        public int Synced { get; private set; }

        public int Resynced { get; private set; }

        public bool IsAtRest => _end is not null || (subscription.State == SubscriptionState.Live && subscription.QueuedEvents == 0);

        public bool Take(Ledger ledger, int eventsMax)
        {
            if (!subscription.TryTake(eventsMax, long.MaxValue, out var items))
                return false;
            _end = items.End?.Reason;
            foreach (var part in items.Parts)
                Take(ledger, part);
            return true;
        }

        public void Conclude(Ledger ledger)
        {
            Demand(_end is null or EndReason.Compacted, $"it ended with {_end}");
            if (_end is null)
                Compare(ledger, ledger.Now);
        }

        private void Take(Ledger ledger, WatchPart part)
        {
            switch (part)
            {
                case WatchPart.SnapshotBegins begins:
                    Demand(_synced is not null == begins.IsResync || _gathered is not null, "a resynchronization is one that comes after a snapshot");
                    Begun++;
                    (_gathered, _at, _isResync) = ([], begins.At, begins.IsResync);
                    break;
                case WatchPart.SnapshotItems { Page: var page }:
                    foreach (var item in page.Items)
                        Demand(page.At == _at && _gathered!.TryAdd(item.Key, item), $"{item.Key} comes twice, or of revision {page.At} and not {_at}");
                    break;
                case WatchPart.Synced synced:
                    Demand(synced.At == _at && _gathered is not null, $"it is synced at {synced.At}, not {_at}");
                    Demand(_synced is null || synced.At >= _synced, "a later snapshot is older");
                    (_keys, _gathered, _synced) = (_gathered!, null, synced.At);
                    Synced++;
                    Resynced += _isResync ? 1 : 0;
                    Compare(ledger, synced.At);
                    break;
                case WatchPart.Events { Commit: var commit }:
                    Demand(commit.Revision > _synced, $"revision {commit.Revision} comes after a snapshot of {_synced}");
                    foreach (var change in commit.Changes)
                        if (change.Kind == ChangeKind.Put)
                            _keys[change.Key] = new KeyValue(change.Key, change.Value, change.CreateRevision, change.Revision, change.Version);
                        else
                            _keys.Remove(change.Key);
                    Compare(ledger, commit.Revision);
                    break;
            }
        }

        private void Compare(Ledger ledger, Revision at)
        {
            var truth = KeysAt(ledger, at).Values.Where(item => scope.Contains(item.Key)).Select(Words);
            Demand(truth.SequenceEqual(_keys.Values.Select(Words)), $"at {at} the keys are {string.Join(" ", _keys.Values.Select(Words))}, not {string.Join(" ", truth)}");
        }

        private static string Words(KeyValue item) => $"{item.Key}={Desk.Text(item.Value)}@{item.ModRevision}";

        private void Demand(bool holds, string problem)
        {
            if (!holds)
                throw new BrokenPromiseException($"{name}: {problem}");
        }
    }
}
