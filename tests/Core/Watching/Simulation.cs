using Watch.Core;
using Watch.Core.Watching;

namespace Watch.Core.Tests.Watching;

/// <summary>
/// A silo's table under one seed: random commits, messages lost, repeated and reordered, requests and answers delayed, lost,
/// partial, failed; compaction, new leaders, watchers that come, go and dawdle. In the end the network heals, everything still
/// under way is thrown away, and every observer is judged.
/// </summary>
internal sealed partial class Simulation
{
    public const int WritesPerCommitMax = 3;

    private static readonly string[] Keys = ["/a", "/a/1", "/a/2", "/a/b/1", "/a/b/2", "/c/", "/c/1", "plain"];
    private static readonly string[] Targets = ["/a", "/a/1", "/a/b/2", "plain", "prefix /", "prefix /a/", "prefix /a/b/", "prefix /c/",
        "any /a", "any p", "glob /a/*", "glob /**/1", "range /a/1 /a/b/2", "range /c/", "all", "/a, plain", "prefix /a/b/, glob /?/1, range /a/2 /b"];

    private static readonly SlowRule[] Rules = [SlowRule.Park, SlowRule.Cancel, SlowRule.DropOldest, SlowRule.DropNewest, SlowRule.Latest];
    private static readonly EventFilter[] Filters = [EventFilter.None, EventFilter.None, EventFilter.NoPuts, EventFilter.NoDeletes, EventFilter.KeysOnly, EventFilter.OnlyChangedValue];

    private readonly Random _random;
    private readonly Wire _wire;
    private readonly WatchTable _table;
    private readonly Ledger _ledger = new();
    private readonly List<Observer> _observers = [];
    private readonly List<ScopeMessage> _messages = [];
    private readonly List<WatchEffect> _requests = [];
    private readonly List<Action> _answers = [];
    private readonly List<SubscriptionId> _room = [];
    private readonly List<ProgressAsk> _questions = [];
    private int _lossPercent;
    private readonly int _headsMax;
    private bool _agrees;
    private long _nowMs;

    public Simulation(int seed, Wire wire, WatchRules? rules = null)
    {
        _random = new Random(seed);
        _wire = wire;
        _lossPercent = _random.Next(4) * 10;
        _headsMax = _random.Next(1, 6);
        var options = new WatchTableOptions
        {
            WatchersMax = 30,
            HeldMessagesMax = _random.Next(6),
            RecentCommitsMax = _random.Next(5),
            FetchEventsMax = _random.Next(1, 20),
            HoldMs = _random.Next(6),
        };
        _table = new WatchTable(options, new Random(seed), _room.Add, rules);
    }

    /// <summary>How much there was to judge.</summary>
    public int ChangesSeen => _observers.Sum(observer => observer.Seen);

    /// <summary>How many events were counted as dropped or overtaken.</summary>
    public long Lagged => _observers.Sum(observer => observer.Lagged);

    /// <summary>How many fragments there were.</summary>
    public long Fragments => _observers.Sum(observer => observer.Fragments);

    /// <summary>How often a watch was told that it is stale.</summary>
    public long StaleTold => _observers.Sum(observer => observer.StaleTold);

    /// <summary>How often a watch was told that it has other targets.</summary>
    public long TargetsTold => _observers.Sum(observer => observer.TargetsTold);

    public WatchStats Stats => _table.Stats;

    public void Run(int steps)
    {
        for (var i = 0; i < steps; i++)
        {
            Step();
            _requests.AddRange(_table.TakeEffects());
            _observers.ForEach(observer => observer.Look());
        }

        Heal();
        _observers.ForEach(observer => observer.Conclude(_ledger));
        Leave();
    }

    private void Step()
    {
        switch (_random.Next(100))
        {
            case < 20: Commit(); break;
            case < 45: DeliverOne(); break;
            case < 52: Subscribe(); break;
            case < 65: ServeRequest(_random.Next(_requests.Count + 1)); break;
            case < 77: AnswerOne(); break;
            case < 89: TakeSome(); break;
            case < 91: AskProgress(); break;
            case < 93: ServeQuestion(); break;
            case < 96: Tick(_random.Next(30)); break;
            case < 97 when _random.Next(3) == 0: _ledger.Compact(new Revision(_ledger.Now.Value - _random.Next(30))); break;
            case < 97 when _random.Next(2) == 0: SetPolicy(); break;
            case < 97 when _random.Next(2) == 0: Retarget(); break;
            case < 97 when _observers.Count > 0: _table.AskProgress(_observers[_random.Next(_observers.Count)].Subscription.Id, _nowMs); break;
            case < 98: LeaveOne(); break;
            case < 99 when _random.Next(3) == 0: ChangeLeader(); break;
            default: ContinueReplays(); break;
        }
    }

    private void Commit()
    {
        var keys = Keys.OrderBy(_ => _random.Next()).Take(_random.Next(1, WritesPerCommitMax + 1));
        _messages.AddRange(_ledger.Commit([.. keys.Select(key => (key, _random.Next(4) == 0 ? null : $"{_random.Next(100)}"))]));
    }

    private void DeliverOne()
    {
        if (_messages.Count == 0)
            return;
        var i = _random.Next(Math.Min(_messages.Count, 4));
        var message = _messages[i];
        if (_random.Next(10) != 0)
            _messages.RemoveAt(i);
        if (_random.Next(100) >= _lossPercent)
            _wire.Deliver(_table, _random.Next(20) == 0 ? message with { Changes = null } : message, _nowMs);
    }

    private void Subscribe()
    {
        var target = Targets[_random.Next(Targets.Length)];
        var spec = new WatchSpec
        {
            Target = Desk.Target(target),
            StartAt = _random.Next(3) == 0 ? new Revision(_random.NextInt64(_ledger.Now.Value + 5)) : null,
            QueueEventsMax = _random.Next(2) == 0 ? _random.Next(1, 6) : 1000,
            WhenSlow = Rules[_random.Next(Rules.Length)],
            Filter = Filters[_random.Next(Filters.Length)],
            ProgressIntervalMs = _random.Next(3) == 0 ? 100 : null,
            StaleAfterMs = _random.Next(3) == 0 ? 100 : null,
        };
        try
        {
            _observers.Add(new Observer(_table.Subscribe(spec with { PreviousValues = spec.Filter == EventFilter.None && _random.Next(2) == 0 }, _nowMs)));
        }
        catch (WatchRefusedException refused) when (refused.Code == WatchRefusal.WatcherLimitReached && _table.Stats.Subscriptions == 30)
        {
            LeaveOne();
        }
    }

    /// <summary>A request reaches the leader: those of one scope in their order, since the shell keeps it; others in any.</summary>
    private void ServeRequest(int i)
    {
        if (i >= _requests.Count)
            return;
        var request = _requests.First(each => each.Scope == _requests[i].Scope && each is WatchEffect.Fetch == _requests[i] is WatchEffect.Fetch);
        _requests.Remove(request);
        switch (request)
        {
            case WatchEffect.RegisterScope register: Register(register); break;
            case WatchEffect.UnregisterScope unregister: Unregister(unregister); break;
            case WatchEffect.AskProgress: AskProgress(); break;
            case WatchEffect.Fetch fetch: Fetch(fetch); break;
        }
    }

    private void Register(WatchEffect.RegisterScope register)
    {
        var id = register.Subscription;
        if (!IsLost())
        {
            _ledger.Register(register.Scope);
            var (now, compacted, head) = (_ledger.Now, _ledger.CompactedThrough, _ledger.Head(register.Scope));
            if (!IsLost())
            {
                _answers.Add(() =>
                {
                    var waiting = _observers.Where(each => each.Subscription.RegisteredAt is null).ToList();
                    _wire.Registered(_table, id, now, compacted, head, _ledger.Now, _nowMs);
                    foreach (var observer in waiting.Where(each => each.Subscription.RegisteredAt is not null))
                        observer.AnsweredAt = now;
                });
                return;
            }
        }

        _answers.Add(() => _table.RegisterFailed(id, _nowMs));
    }

    private void Fetch(WatchEffect.Fetch fetch)
    {
        if (IsLost())
            _answers.Add(() => _table.FetchFailed(fetch.Id, _nowMs));
        else if (fetch.After < _ledger.CompactedThrough)
        {
            var firstAvailable = _ledger.CompactedThrough.Next;
            _answers.Add(() => _wire.Compacted(_table, fetch, firstAvailable, _nowMs));
        }
        else
        {
            var reached = _random.Next(3) == 0 ? new Revision(_random.NextInt64(fetch.After.Value, fetch.UpTo.Value + 1)) : fetch.UpTo;
            var commits = _ledger.Truth(fetch.Scope, fetch.After, reached);
            _answers.Add(() => _wire.Fetched(_table, fetch, commits, reached, _nowMs));
        }
    }

    private void AnswerOne()
    {
        if (_answers.Count == 0)
            return;
        var i = _random.Next(_answers.Count);
        var answer = _answers[i];
        _answers.RemoveAt(i);
        answer();
    }

    private void AskProgress()
    {
        var ask = _table.BeginProgress(BucketId.Default, _nowMs);
        _questions.Add(ask);
    }

    /// <summary>A question reaches the leader, perhaps a second time, perhaps after a later one; and its answer may be lost.</summary>
    private void ServeQuestion()
    {
        if (_questions.Count == 0)
            return;
        var ask = _questions[_random.Next(_questions.Count)];
        if (_random.Next(8) != 0)
            _questions.Remove(ask);
        var answer = IsLost() ? null : _wire.Progressed(_ledger, ask, _headsMax);
        if (answer is null || IsLost())
            _answers.Add(() => _table.ProgressFailed(ask, _nowMs));
        else
            _answers.Add(() =>
            {
                _agrees = answer is { Agrees: true, More: false };
                _table.Progress(ask, answer, _nowMs);
            });
    }

    /// <summary>Another node leads; it asks what is watched, and hears it sooner, later, or never.</summary>
    private void ChangeLeader()
    {
        _ledger.ChangeLeader();
        var (term, scopes) = (_ledger.Term, _table.ScopesOf(BucketId.Default));
        if (_random.Next(3) != 0)
            _answers.Add(() =>
            {
                if (term != _ledger.Term)
                    return;
                foreach (var scope in scopes)
                    _ledger.Register(scope);
            });
    }

    private void Unregister(WatchEffect.UnregisterScope unregister)
    {
        if (!IsLost())
            _ledger.Watched.Unregister(unregister.Scope, Ledger.Silo);
        _answers.Add(() => _table.Withdrawn(BucketId.Default, unregister.Scope));
    }

    private void TakeSome()
    {
        if (_observers.Count == 0)
            return;
        var observer = _observers[_random.Next(_observers.Count)];
        TakeFrom(observer, _random.Next(5), _random.Next(2) == 0 ? _random.Next(1, 150) : long.MaxValue);
    }

    private WatchItems? TakeFrom(Observer observer, int eventsMax, long bytesMax)
    {
        observer.Look();
        if (!observer.Subscription.TryTake(eventsMax, bytesMax, out var items))
            return null;
        foreach (var each in _wire.Taken(observer.Subscription, items))
            observer.Take(each, _ledger);
        return items;
    }

    private void SetPolicy()
    {
        if (_observers.Count == 0)
            return;
        var observer = _observers[_random.Next(_observers.Count)];
        var (rule, events) = (Rules[_random.Next(Rules.Length)], _random.Next(1, 20));
        observer.PolicyChanges(rule, events);
        _table.SetPolicy(observer.Subscription.Id, rule, events, null, _nowMs);
    }

    private void Retarget()
    {
        if (_observers.Count == 0)
            return;
        var observer = _observers[_random.Next(_observers.Count)];
        var target = Desk.Target(Targets[_random.Next(Targets.Length)]);
        var version = observer.Version + 1;
        var from = _table.Retarget(observer.Subscription.Id, target, version, _nowMs);
        observer.Retargeted(from, target);
        if (_table.Retarget(observer.Subscription.Id, Desk.Target("all"), version, _nowMs) != from)
            throw new BrokenPromiseException("a repeated change of targets is not answered as the first was");
    }

    private void LeaveOne()
    {
        if (_observers.Count > 0)
            _table.Unsubscribe(_observers[_random.Next(_observers.Count)].Subscription.Id, EndReason.Disposed);
    }

    private void ContinueReplays()
    {
        var ids = _room.ToArray();
        _room.Clear();
        foreach (var id in ids)
            _table.Continue(id, _nowMs);
    }

    private void Tick(long afterMs)
    {
        _nowMs += afterMs;
        _table.Tick(_nowMs);
    }

    private bool IsLost() => _random.Next(100) < _lossPercent;
}
