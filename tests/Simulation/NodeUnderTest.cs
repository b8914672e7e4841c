using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.Hosting;
using Watch.Client;
using Watch.Core;
using Watch.Core.Keyspace;
using Watch.Core.Storage;
using Watch.Embedded.Simulation;
using Watch.Grains;
using Watch.Grains.Consensus;
using Watch.Grains.Storage;
using Watch.Simulation.Tests.Faults;
using Watch.Simulation.Tests.Running;

namespace Watch.Simulation.Tests;

/// <summary>One node of a cluster under test: its disk, and the silo that runs on it at a time.</summary>
internal sealed class NodeUnderTest
{
    private readonly ClusterUnderTest _cluster;
    private TaskCompletionSource _came = new();
    private bool _isChanging;

    public NodeUnderTest(ClusterUnderTest cluster, string name)
    {
        _cluster = cluster;
        Name = name;
        Disk = new FaultyDisk(cluster.World, cluster.Counts, cluster.Variant?.Unsynced);
    }

    public string Name { get; }

    public FaultyDisk Disk { get; }

    /// <summary>The silo of this node; null before the first start.</summary>
    public SimulatedSilo? Silo { get; private set; }

    /// <summary>Whether its silo runs and has started. It may be frozen, cut off, or declared gone.</summary>
    public bool IsUp { get; private set; }

    /// <summary>Whether it has lost what it had synced, and what it came back as does not vote in its place yet.</summary>
    public bool IsLost { get; private set; }

    /// <summary>The last critical line of its log; null where its silo never wrote one.</summary>
    public string? LastWord { get; private set; }

    /// <summary>Whether it refused to start on what its disk held, and what it said.</summary>
    public string? Refusal { get; private set; }

    /// <summary>What stopped the node while its silo went on.</summary>
    public Exception? Failure => Silo?.Services.GetRequiredService<NodeHealth>().Failure;

    /// <summary>The client of a service hosted in its silo.</summary>
    public IWatchClient Client => Silo!.Services.GetRequiredService<IWatchClient>();

    /// <summary>Whether it says that it leads the default bucket's group.</summary>
    public bool Leads => IsUp && Silo!.Services.GetRequiredService<Replica>().LeadingOf(BucketId.Default) is not null;

    /// <summary>That it stopped itself because a rule did not hold; null where none was broken.</summary>
    public string? BrokenRule { get; private set; }

    /// <summary>Its number, drawn with its folder; null where it does not run.</summary>
    public NodeId? Id => IsUp ? Silo!.Services.GetRequiredService<Replica>().Node.Self.Id : null;

    /// <summary>The state of its default bucket; null where it has none.</summary>
    public BucketState? State => IsUp ? Silo!.Services.GetRequiredService<Replica>().MemberOf(BucketId.Default)?.State : null;

    /// <summary>Done when the node has next come up.</summary>
    public Task Came => IsUp ? Task.CompletedTask : _came.Task;

    /// <summary>Starts a silo on what the disk holds. Answers when it runs, when it has refused, or when it has crashed on the way.</summary>
    public async Task StartAsync()
    {
        if (IsUp || _isChanging)
            return;
        _isChanging = true;
        if (Silo is { IsDead: false } old)
            old.DeclareDead();
        Disk.Files.Unlock();
        LastWord = null;
        var silo = Silo = Add();
        var starting = silo.StartAsync();
        await Task.WhenAny(starting, silo.Ended);
        _isChanging = false;
        if (silo.HasEnded)
            return;
        if (starting.IsFaulted)
        {
            Refusal = Unwrap(starting.Exception!.InnerException!);
            _cluster.World.Note("refused", $"{Name}: {Refusal}");
            silo.Crash();
            return;
        }

        Refusal = null;
        IsUp = true;
        _came.TrySetResult();
        _came = new TaskCompletionSource();
    }

    /// <summary>Its process ends; membership hears of it when somebody tells.</summary>
    public void Crash(bool powerFails)
    {
        NoteBrokenRule();
        _cluster.World.Note("crash", $"{Name}{(powerFails ? ", power fails" : "")}");
        IsUp = false;
        Silo!.Halt();
        if (powerFails)
            Disk.FailPower();
    }

    /// <summary>Stops it cleanly; nobody starts another silo on its disk meanwhile.</summary>
    public async Task StopAsync()
    {
        var silo = Silo!;
        (IsUp, _isChanging) = (false, true);
        await Task.WhenAny(silo.StopAsync(), silo.Ended);
        if (!silo.HasEnded)
            silo.Crash();
        _isChanging = false;
    }

    /// <summary>It is about to lose what it has synced.</summary>
    public void IsToBeLost() => IsLost = true;

    /// <summary>It votes in its old one's place, or has lost nothing after all.</summary>
    public void WasReplaced() => IsLost = false;

    /// <summary>Comes back with an empty folder after it was removed: nobody counts on what it had.</summary>
    public async Task RenewAsync()
    {
        Crash(powerFails: false);
        Wipe();
        IsLost = false;
        await StartAsync();
    }

    /// <summary>Loses everything; a silo that starts again is a new node of the same name.</summary>
    public void Wipe()
    {
        _cluster.World.Note("wipe", Name);
        IsLost = true;
        Disk.Files.Wipe(keepsIdentity: _cluster.Variant is { WipedNodeKeepsItsNumber: true });
        Refusal = null;
    }

    /// <summary>A node that stops because its disk failed does as it should; one that finds a rule broken does not.</summary>
    public void NoteBrokenRule()
    {
        if (IsUp && Failure is { } failure and not (StorageException or IOException))
            BrokenRule ??= $"Node {Name} stopped itself: {failure}";
    }

    public async Task HealAsync()
    {
        NoteBrokenRule();
        Disk.Heal();
        if (Silo is { IsFrozen: true })
            Silo.Thaw();
        if (IsUp && (Failure is not null || Silo!.IsDead))
            Crash(powerFails: false);
        if (!IsUp)
            await StartAsync();
    }

    /// <summary>How it is, for whoever reads a violation.</summary>
    public string Describe()
    {
        if (!IsUp)
            return $"{Name} is down{(Refusal is null ? "" : $": {Refusal}")}";
        var replica = Silo!.Services.GetRequiredService<Replica>();
        var groups = replica.Node.Groups.Values.Select(group =>
            $"group {group.Id}: {group.Role} of term {group.Term}, leader {group.Leader}, log {group.Last}, committed {group.Committed}, members {group.Members}{(group.MembersCommitted ? "" : " (not committed)")}{(group.Leading is { } leading ? $" [{leading}]" : "")}");
        return $"{Name} ({Id}){(Failure is null ? "" : $" failed: {Failure.Message}")}{(Silo.IsDead ? " is declared gone" : "")}, buckets {string.Join(' ', replica.Node.Catalogue.Buckets.Keys)}; {string.Join("; ", groups)}";
    }

    private SimulatedSilo Add()
    {
        var drift = _cluster.Plan.Has(FaultKind.ClockDrift) ? (_cluster.Random.NextDouble() - 0.5) * 0.08 : 0;
        if (drift != 0)
            _cluster.Counts.Add(FaultKind.ClockDrift);
        return _cluster.World.AddSilo(Name, (ISiloBuilder silo) => Configure(silo), 1 + drift);
    }

    private void Configure(ISiloBuilder silo)
    {
        silo.Services.AddLogging(logs =>
        {
            if (_cluster.World.IsTracing)
                logs.AddProvider(new TraceLogs(_cluster.World, Name));
            logs.AddProvider(new LastWords(word => LastWord = word));
        });
        silo.Services.AddSingleton(_cluster.Chance);
        silo.Services.AddSingleton(_cluster.Seams);
        silo.Services.AddSingleton<IFileSystem>(Disk.Files);
        silo.Services.AddSingleton(services => Disk.WorkerFor(services.GetRequiredService<TimeProvider>(), () => PowerFailed()));
        silo.Services.Configure<WatchClientOptions>(options => options.CallTimeout = TimeSpan.FromSeconds(6));
        silo.AddWatch(watch =>
        {
            watch.DataDirectory = "data";
            watch.Bootstrap = "n0";
            watch.LeaderTimeout = TimeSpan.FromSeconds(4);
            watch.Join = _cluster.Plan.Joins;
            if (_cluster.Plan.SmallPages)
                (watch.FetchPageBytes, watch.SnapshotPageBytes) = (128, 128);
            if (_cluster.Plan.SnapshotEntries > 0)
                (watch.SnapshotEntries, watch.SnapshotBytes) = (_cluster.Plan.SnapshotEntries, 64 << 10);
        });
    }

    private void PowerFailed()
    {
        _cluster.Counts.Add(FaultKind.CrashAtDisk);
        Crash(powerFails: true);
    }

    private static string Unwrap(Exception error) => error is StorageException || error.InnerException is null ? error.ToString() : Unwrap(error.InnerException);
}
