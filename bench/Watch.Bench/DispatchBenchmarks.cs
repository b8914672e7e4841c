using BenchmarkDotNet.Attributes;
using Watch.Core;
using Watch.Core.Watching;
using ScopeTarget = Watch.Core.Watching.WatchTarget;

namespace Watch.Bench;

/// <summary>
/// From an event to the queue of its one watcher, with few or many prefix watchers elsewhere: what is elsewhere must cost nothing.
/// </summary>
[MemoryDiagnoser]
public class DispatchBenchmarks
{
    private static readonly Key s_watched = Key.Of("/here/below/");
    private static readonly Key s_key = Key.Of("/here/below/key");
    private readonly WatchedScopes _scopes = new();
    private WatchTable _table = null!;
    private Subscription _subscription = null!;
    private long _revision;

    /// <summary>How many other prefixes have a watcher.</summary>
    [Params(1, 100_000)]
    public int WatchersElsewhere { get; set; }

    /// <summary>Registers the watchers.</summary>
    [GlobalSetup]
    public void Register()
    {
        _table = new WatchTable(new WatchTableOptions(), new Random(1), _ => { });
        for (var i = 0; i < WatchersElsewhere; i++)
            Subscribe(Key.Of($"/elsewhere/{i}/"));
        _subscription = Subscribe(s_watched);
        _table.TakeEffects();
    }

    /// <summary>The leader's question at every commit: which scopes of the key does anybody watch?</summary>
    [Benchmark]
    public int FindWatchedScopes()
    {
        var found = 0;
        foreach (var scope in Scope.Of(s_key))
            if (_scopes.IsWatched(scope))
                found += _scopes.Silos(scope).Count;
        return found;
    }

    /// <summary>The dispatcher's work for one message: chain, watcher, queue; and its reader's: taking it out again.</summary>
    [Benchmark]
    public bool Dispatch()
    {
        var previous = new Revision(_revision);
        var revision = new Revision(++_revision);
        var change = new Change
        {
            Key = s_key,
            Kind = ChangeKind.Put,
            Value = default,
            PreviousValue = null,
            Revision = revision,
            CreateRevision = new Revision(1),
            Version = revision.Value,
            CommitTimeMs = 0,
        };
        _table.Deliver(BucketId.Default, new ScopeMessage(Scope.OfPrefix(s_watched), previous, revision, [change], []), nowMs: 0);
        return _subscription.TryTake(16, 1 << 20, out _);
    }

    private Subscription Subscribe(Key prefix)
    {
        var subscription = _table.Subscribe(new WatchSpec { Target = ScopeTarget.Prefix(prefix) }, nowMs: 0);
        _table.Registered(subscription.Id, Revision.None, Revision.None, Revision.None, nowMs: 0);
        _scopes.Register(Scope.OfPrefix(prefix), "silo", Revision.None);
        return subscription;
    }
}
