using System.Collections.Immutable;
using System.Reflection;
using Microsoft.Extensions.Options;
using Orleans;
using Watch.Client;
using Watch.Core;
using Watch.Core.Watching;
using Watch.Interfaces;

namespace Watch.Cluster.Tests;

/// <summary>The sessions' end of a cluster, as a test plays it for a client outside it: one call at a time.</summary>
internal sealed class ScriptedServer
{
    /// <summary>The sessions that were opened, in order.</summary>
    public List<ScriptedSession> Sessions { get; } = [];

    /// <summary>What is done with the next registrations, one after the other; without, each is answered.</summary>
    public Queue<Func<ScriptedSession, WatchRequest, Task<RegistrationReply>>> Script { get; } = [];

    /// <summary>The one that was opened last.</summary>
    public ScriptedSession Session => Sessions[^1];

    public RemoteWatchClient NewClient(TimeProvider time) =>
        new(ScriptedGrains.Over(this), Options.Create(new WatchClientOptions()), time, new SystemWatchRandom());
}

/// <summary>A way to the scripted server's sessions.</summary>
internal class ScriptedGrains : DispatchProxy
{
    private readonly Dictionary<string, ScriptedSession> _sessions = [];
    private ScriptedServer _server = new();

    public static IClusterClient Over(ScriptedServer server)
    {
        var grains = Create<IClusterClient, ScriptedGrains>();
        ((ScriptedGrains)(object)grains)._server = server;
        return grains;
    }

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) => targetMethod!.Name switch
    {
        "CreateObjectReference" => args![0],
        "DeleteObjectReference" => null,
        "GetGrain" when args![0] is string name => SessionOf(name),
        _ => throw new NotSupportedException(targetMethod.Name),
    };

    private ScriptedSession SessionOf(string name)
    {
        if (!_sessions.TryGetValue(name, out var session))
            _sessions.Add(name, session = new ScriptedSession(_server));
        return session;
    }
}

/// <summary>A session: it registers everything and agrees with its client, unless a test says otherwise.</summary>
internal sealed class ScriptedSession(ScriptedServer server) : IWatchSessionGrain
{
    private IWatchSessionObserver? _observer;
    private long _batches;

    public long Epoch { get; private set; }

    /// <summary>The registrations, call by call.</summary>
    public List<ImmutableArray<WatchRequest>> Registers { get; } = [];

    /// <summary>The watches that it has.</summary>
    public SortedSet<long> Watches { get; } = [];

    /// <summary>The watches that the client ended.</summary>
    public List<long> Ended { get; } = [];

    /// <summary>What the client has room for, by watch, as it said last.</summary>
    public Dictionary<long, Credit> Credits { get; } = [];

    public bool IsClosed { get; private set; }

    /// <summary>Called with each renewal before it is answered.</summary>
    public Action OnRenew { get; set; } = () => { };

    /// <summary>Answers its end.</summary>
    public Func<Task> OnClose { get; set; } = () => Task.CompletedTask;

    /// <summary>Sends one step.</summary>
    public async Task SendAsync(WatchStep step)
    {
        var ack = await _observer!.OnBatch(new SessionBatch(Epoch, ++_batches, [], [step]));
        Note(ack.Credits);
    }

    public Task<SessionOpened> Open(SessionHello hello, IWatchSessionObserver observer, CancellationToken cancellationToken)
    {
        (Epoch, _observer) = (hello.Epoch, observer);
        server.Sessions.Add(this);
        return Task.FromResult(new SessionOpened("", "here", IWatchSessionGrain.LeaseSeconds * 1_000));
    }

    public async Task<ImmutableArray<RegistrationReply>> Register(long epoch, ImmutableArray<WatchRequest> requests, CancellationToken cancellationToken)
    {
        Registers.Add(requests);
        if (server.Script.TryDequeue(out var step))
        {
            var reply = await step(this, Assert.Single(requests));
            Watches.Add(reply.Watch);
            return [reply];
        }

        Watches.UnionWith(requests.Select(each => each.Watch));
        return [.. requests.Select(each =>
            new RegistrationReply(each.Watch, new WatchRegistration(each.Watch, each.StartAt?.Previous ?? Revision.None, "1", 1), default, "", default))];
    }

    public Task<SessionState> Renew(SessionRenewal renewal)
    {
        OnRenew();
        Note(renewal.Credits);
        var hash = Watches.Aggregate(0UL, (sum, each) => unchecked(sum + SessionState.HashOf(each)));
        return Task.FromResult(new SessionState(renewal.Epoch == Epoch && !IsClosed, Watches.Count, hash, renewal.WantsAll ? [.. Watches] : []));
    }

    public Task End(long epoch, ImmutableArray<long> watches)
    {
        Ended.AddRange(watches);
        Watches.ExceptWith(watches);
        return Task.CompletedTask;
    }

    public Task Close(long epoch)
    {
        IsClosed = true;
        return OnClose();
    }

    public Task<RetargetReply> Retarget(long epoch, long watch, WatchTarget target, long version) => throw new NotSupportedException();

    public Task SetPolicy(long epoch, long watch, SlowPolicy policy, int? queueEventsMax, long? queueBytesMax) => Task.CompletedTask;

    public Task AskProgress(long epoch, ImmutableArray<long> watches) => Task.CompletedTask;

    public Task Feel(long epoch) => Task.CompletedTask;

    private void Note(ImmutableArray<Credit> credits)
    {
        foreach (var credit in credits)
            Credits[credit.Watch] = credit;
    }
}
