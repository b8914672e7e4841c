namespace Watch.Simulation.Tests.Faults;

/// <summary>
/// Lets happen what a plan names, at moments that the seed chooses. It keeps to the fault model: a majority of the nodes never loses
/// what it had synced. Any number of nodes may be down, cut off or frozen at a time.
/// </summary>
internal sealed partial class Nemesis(ClusterUnderTest cluster)
{
    private const int MoreTries = 6;

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    private readonly FaultPlan _plan = cluster.Plan;
    private bool _over;

    private Random Random => cluster.Random;

    /// <summary>Runs to the end of the storm; what it has begun has ended by then, or is for the healing to end.</summary>
    public async Task RunAsync()
    {
        BeginMessageFaults();
        var acts = _plan.Named.Order().Select(kind => RepeatAsync(kind, ActOf(kind))).ToList();
        var storm = Task.WhenAll(acts);
        var tended = TendAsync(storm);
        await cluster.PassAsync(_plan.Storm);
        _over = true;
        await storm;
        await tended;
    }

    private void BeginMessageFaults()
    {
        if (_plan.Has(FaultKind.MessageLost))
            cluster.Network.Lost = _plan.MessageFaults;
        if (_plan.Has(FaultKind.MessageDuplicated))
            cluster.Network.Duplicated = _plan.MessageFaults * 4;
        if (_plan.Has(FaultKind.MessageDelayed))
            cluster.Network.Delayed = _plan.MessageFaults;
        BeginStreamFaults();
    }

    private Func<Task>? ActOf(FaultKind kind) => kind switch
    {
        FaultKind.Partition => () => CutAsync(kind),
        FaultKind.OneWayPartition => () => CutAsync(kind),
        FaultKind.LeaderIsolated => () => CutAsync(kind),
        FaultKind.Crash => CrashAsync,
        FaultKind.CrashAtDisk => CrashAtDiskAsync,
        FaultKind.DiskFull => FullDiskAsync,
        FaultKind.SyncError => SyncErrorAsync,
        FaultKind.SlowDisk => SlowDiskAsync,
        FaultKind.WallClockJump => JumpAsync,
        FaultKind.Freeze => FreezeAsync,
        FaultKind.WronglyDeclaredDead => DeclareDeadAsync,
        FaultKind.BitFlip => FlipAsync,
        FaultKind.Wipe => WipeAsync,
        FaultKind.MembershipChange => ChangeMembersAsync,
        FaultKind.UnevenCut => CutUnevenlyAsync,
        FaultKind.HubKilled => () => KillGrainsAsync(kind, "watch.hub"),
        FaultKind.SessionKilled => () => KillGrainsAsync(kind, "watch.session"),
        FaultKind.ClientFrozen => FreezeClientAsync,
        FaultKind.ClientGone => EndClientAsync,
        _ => null,
    };

    /// <summary>Again and again until the storm is over, and some times more where it has not happened yet.</summary>
    private async Task RepeatAsync(FaultKind kind, Func<Task>? act)
    {
        for (var more = MoreTries; act is not null && more > 0;)
        {
            await PauseAsync(0, 4);
            if (_over && (cluster.Counts[kind] > 0 || more-- == 0))
                return;
            await act();
        }
    }

    private async Task CutAsync(FaultKind kind)
    {
        var names = cluster.Nodes.Select(node => node.Name).ToArray();
        if (kind == FaultKind.LeaderIsolated)
        {
            if (cluster.Leader is not { } leader)
                return;
            cluster.Network.Cut(kind, [leader.Name], names, bothWays: true);
        }
        else if (cluster.Leader is { } speaker && Random.Next(2) == 0)
        {
            // One follower that the leader cannot reach, and that everybody else can.
            var others = cluster.Nodes.Where(node => node != speaker).ToList();
            cluster.Network.Cut(kind, [speaker.Name], [others[Random.Next(others.Count)].Name], bothWays: kind == FaultKind.Partition);
        }
        else
        {
            Random.Shuffle(names);
            var part = 1 + Random.Next(names.Length - 1);
            cluster.Network.Cut(kind, names[..part], names[part..], bothWays: kind == FaultKind.Partition);
        }

        await PauseAsync(0.2, 12);
        cluster.Network.Join();
    }

    /// <summary>
    /// First one follower stops hearing the leader; just before it stands for election, the leader stops hearing the others, and goes on
    /// speaking to them. By what it heard last it takes itself for the leader while they are asked to elect another one.
    /// </summary>
    private async Task CutUnevenlyAsync()
    {
        if (cluster.Leader is not { } leader)
            return;
        string[] others = [.. cluster.Nodes.Where(node => node != leader).Select(node => node.Name)];
        Random.Shuffle(others);
        cluster.Network.Cut(FaultKind.UnevenCut, [leader.Name], [others[0]], bothWays: true);
        await PauseAsync(1.2, 2.4);
        cluster.Network.Cut(FaultKind.UnevenCut, others, [leader.Name], bothWays: false);
        await PauseAsync(1, 5);
        cluster.Network.Join();
    }

    private async Task JumpAsync()
    {
        var node = Any();
        node.Silo!.Clock.JumpWall(TimeSpan.FromSeconds(Random.Next(-7200, 7200)));
        cluster.Counts.Add(FaultKind.WallClockJump);
        await PauseAsync(0, 3);
    }

    private async Task FreezeAsync()
    {
        if (AnyUp() is not { Silo: { IsFrozen: false } silo })
            return;
        silo.Freeze();
        cluster.Counts.Add(FaultKind.Freeze);
        await PauseAsync(0.1, 12);
        if (silo is { IsFrozen: true, HasEnded: false })
            silo.Thaw();
    }

    /// <summary>A silo that is declared gone while it runs, or sleeps: some time after it has noticed, its process is started again.</summary>
    private async Task DeclareDeadAsync()
    {
        if (AnyUp() is not { Silo: { IsFrozen: false, IsDead: false } silo } node)
            return;
        var sleeps = Random.Next(2) == 0;
        if (sleeps)
        {
            silo.Freeze();
            await PauseAsync(0.5, 8);
        }

        if (silo.HasEnded)
            return;
        silo.DeclareDead();
        cluster.Counts.Add(FaultKind.WronglyDeclaredDead);
        await PauseAsync(0, 3);
        if (sleeps && silo is { HasEnded: false, IsFrozen: true })
            silo.Thaw();
        await PauseAsync(0, 3);
        if (!silo.HasEnded)
            node.Crash(powerFails: false);
        await PauseAsync(0, 2);
        await node.StartAsync();
    }

    /// <summary>A voter goes, and comes back as another node; now and then whoever drives that crashes on the way.</summary>
    private async Task ChangeMembersAsync()
    {
        var leaves = Any();
        if (cluster.Losses > 0 || cluster.Members.IsBusy)
            return;
        var crash = CrashDriverAsync();
        if (await cluster.Members.ReachAsync([.. cluster.Nodes.Where(node => node != leaves)], s_patience))
            cluster.Counts.Add(FaultKind.MembershipChange);
        await crash;
        await PauseAsync(0, 4);
        crash = CrashDriverAsync();
        if (await cluster.Members.ReachAsync(cluster.Nodes, s_patience))
            cluster.Counts.Add(FaultKind.MembershipChange);
        await crash;
    }

    private async Task CrashDriverAsync()
    {
        if (Random.Next(3) != 0)
            return;
        await PauseAsync(0, 1);
        if (cluster.Members.Driver is not { Silo: { } silo } driver)
            return;
        var crashed = new TaskCompletionSource();
        silo.AfterSteps(1 + Random.Next(300), () =>
        {
            if (silo.HasEnded || !ReferenceEquals(driver.Silo, silo))
                return;
            if (cluster.Members.IsBusy)
                cluster.Counts.Add(FaultKind.DriverCrash);
            driver.Crash(powerFails: Random.Next(2) == 0);
            crashed.TrySetResult();
        });
        await Task.WhenAny(crashed.Task, silo.Ended, cluster.PassAsync(TimeSpan.FromSeconds(5)));
        await ComeBackAsync(driver);
    }

    private NodeUnderTest Any() => cluster.Nodes[Random.Next(cluster.Nodes.Count)];

    private NodeUnderTest? AnyUp()
    {
        // The leader is more often worth a fault than the others.
        if (Random.Next(3) == 0 && cluster.Leader is { } leader)
            return leader;
        var node = Any();
        return node.IsUp ? node : null;
    }

    private Task PauseAsync(double fewestSeconds, double mostSeconds) =>
        cluster.PassAsync(TimeSpan.FromSeconds(fewestSeconds + (Random.NextDouble() * Random.NextDouble() * (mostSeconds - fewestSeconds))));
}
