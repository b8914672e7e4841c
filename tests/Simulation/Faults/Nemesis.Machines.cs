using Watch.Embedded.Simulation;

namespace Watch.Simulation.Tests.Faults;

/// <summary>What happens to machines, their processes and their disks.</summary>
internal sealed partial class Nemesis
{
    /// <summary>Longer than any fault leaves a node down.</summary>
    private static readonly TimeSpan s_longestDown = TimeSpan.FromSeconds(16);

    private async Task CrashAsync()
    {
        if (AnyUp() is not { Silo: { } silo } node)
            return;
        var crashed = new TaskCompletionSource();
        var powerFails = Random.Next(2) == 0;
        var isOff = false;
        silo.AfterSteps(1 + Random.Next(1000), () =>
        {
            if (isOff || silo.HasEnded || !ReferenceEquals(node.Silo, silo))
                return;
            cluster.Counts.Add(FaultKind.Crash);
            node.Crash(powerFails);
            crashed.TrySetResult();
        });
        await Task.WhenAny(crashed.Task, silo.Ended, cluster.PassAsync(TimeSpan.FromSeconds(5)));
        isOff = true;
        await ComeBackAsync(node);
    }

    private async Task CrashAtDiskAsync()
    {
        if (AnyUp() is not { Silo: { } silo } node)
            return;
        var verdict = (DiskVerdict)((int)DiskVerdict.PowerFailsBefore + Random.Next(3));
        node.Disk.FailPowerAt(1 + Random.Next(12), verdict, _plan.SnapshotEntries > 0 && Random.Next(2) == 0 ? FaultyDisk.Snapshots : "");
        await Task.WhenAny(silo.Ended, cluster.PassAsync(TimeSpan.FromSeconds(5)));
        await ComeBackAsync(node);
        // Now and then again while it recovers.
        if (Random.Next(3) == 0)
            node.Disk.FailPowerAt(1 + Random.Next(6), verdict);
    }

    private async Task FullDiskAsync()
    {
        if (AnyUp() is not { } node)
            return;
        var (silo, refusals) = (node.Silo!, node.Disk.Refusals);
        if (_plan.SnapshotEntries > 0 && Random.Next(3) == 0)
        {
            await WithoutRoomForSnapshotsAsync(node, silo, refusals);
            return;
        }

        node.Disk.IsFull = true;
        await WhileWorkingAsync(node);
        await MustHaveStoppedAsync(node, silo, refusals);
        await PauseAsync(0, 3);
        node.Disk.IsFull = false;
        await RestartFailedAsync(node);
    }

    /// <summary>A node that cannot take a snapshot, nor receive one, goes on without.</summary>
    private async Task WithoutRoomForSnapshotsAsync(NodeUnderTest node, SimulatedSilo silo, long refusals)
    {
        // What stopped it before is another fault's.
        if (node.Failure is not null)
            return;
        node.Disk.HasNoRoomForSnapshots = true;
        await PauseAsync(1, 10);
        node.Disk.HasNoRoomForSnapshots = false;
        if (node.IsUp && ReferenceEquals(node.Silo, silo) && node.Disk.Refusals == refusals && node.Failure is { } failure)
            throw new ViolationException($"Node {node.Name} stopped because there was no room for a snapshot: {failure}");
    }

    private async Task SyncErrorAsync()
    {
        if (AnyUp() is not { } node)
            return;
        var (silo, refusals) = (node.Silo!, node.Disk.Refusals);
        node.Disk.NextSyncFails = true;
        await WhileWorkingAsync(node);
        await MustHaveStoppedAsync(node, silo, refusals);
        node.Disk.NextSyncFails = false;
        await PauseAsync(0, 2);
        await RestartFailedAsync(node);
    }

    private async Task SlowDiskAsync()
    {
        var node = Any();
        node.Disk.Slowness = TimeSpan.FromSeconds(Random.NextDouble() * 3);
        await PauseAsync(0.5, 8);
        node.Disk.Slowness = TimeSpan.Zero;
    }

    private async Task FlipAsync()
    {
        if (!MayLose || AnyUp() is not { Silo: { } silo } node)
            return;
        // From here on nobody may count on it, who changes members while it stops.
        node.IsToBeLost();
        if (Random.Next(2) == 0)
            await node.StopAsync();
        else
            node.Crash(powerFails: Random.Next(2) == 0);
        if (!silo.IsDead)
            silo.DeclareDead();
        if (node.Disk.Files.FlipSealedBit(Random) is not { } flipped)
        {
            node.WasReplaced();
            await node.StartAsync();
            return;
        }

        cluster.World.Note("flip", $"{node.Name}: {flipped.Path} at {flipped.Offset}");
        // Without room a node refuses before it reads anything.
        node.Disk.Heal();
        await node.StartAsync();
        while (node is { IsUp: false, Refusal: null })
        {
            await PauseAsync(0, 0.1);
            await node.StartAsync();
        }

        if (node.Refusal is not { } refusal)
            throw new ViolationException($"Node {node.Name} started though a bit at offset {flipped.Offset} of '{flipped.Path}' had turned over.");
        if (!refusal.Contains(flipped.Path, StringComparison.Ordinal) || !refusal.Contains("offset", StringComparison.OrdinalIgnoreCase))
            throw new ViolationException($"Node {node.Name} refused to start on a damaged file without naming '{flipped.Path}' and an offset: {refusal}");
        cluster.Counts.Add(FaultKind.BitFlip);
        node.Wipe();
        await PauseAsync(0, 3);
        await node.StartAsync();
        await cluster.Members.ReachAsync(cluster.Nodes, s_patience);
    }

    private async Task WipeAsync()
    {
        if (!MayLose || AnyUp() is not { } node)
            return;
        node.Crash(powerFails: false);
        node.Wipe();
        cluster.Counts.Add(FaultKind.Wipe);
        await ComeBackAsync(node);
        await cluster.Members.ReachAsync(cluster.Nodes, s_patience);
    }

    /// <summary>
    /// Whether a node may lose what it has synced: only a minority at a time, and none while somebody else leaves or joins. Whoever was
    /// replaced by what it came back as is no loss any more.
    /// </summary>
    private bool MayLose => cluster.Losses < cluster.Minority && !cluster.Members.IsBusy && cluster.Members.IsSettled;

    /// <summary>After a crash: membership hears of it sooner or later, and the node is started again before or after that.</summary>
    private async Task ComeBackAsync(NodeUnderTest node)
    {
        if (node.IsUp || node.Silo is not { HasEnded: true } silo)
            return;
        await PauseAsync(0, 6);
        if (Random.Next(2) == 0 && !silo.IsDead)
            silo.DeclareDead();
        await PauseAsync(0, 8);
        await node.StartAsync();
    }

    /// <summary>Somebody looks after the machines: what is down for long, or crashed on its way up, is started again.</summary>
    private async Task TendAsync(Task storm)
    {
        var down = new Dictionary<NodeUnderTest, int>();
        while (!storm.IsCompleted)
        {
            await cluster.PassAsync(TimeSpan.FromSeconds(1));
            foreach (var node in cluster.Nodes)
            {
                down[node] = node.IsUp ? 0 : down.GetValueOrDefault(node) + 1;
                if (down[node] > s_longestDown.TotalSeconds && !storm.IsCompleted)
                    await node.StartAsync();
            }
        }
    }

    private async Task WhileWorkingAsync(NodeUnderTest node)
    {
        for (var at = 0; at < 40 && node.IsUp && node.Failure is null; at++)
            await cluster.PassAsync(TimeSpan.FromMilliseconds(100));
    }

    /// <summary>A node whose disk has refused something accepts nothing more, and says why: in its health and in its log.</summary>
    private async Task MustHaveStoppedAsync(NodeUnderTest node, SimulatedSilo silo, long refusals)
    {
        if (node.Disk.Refusals == refusals || !ReferenceEquals(node.Silo, silo))
            return;
        for (var at = 0; at < 200 && node.IsUp && ReferenceEquals(node.Silo, silo) && (node.Failure is null || silo.IsFrozen); at++)
            await cluster.PassAsync(TimeSpan.FromMilliseconds(100));
        if (!node.IsUp || !ReferenceEquals(node.Silo, silo) || silo.IsFrozen)
            return;
        if (node.Failure is null)
            throw new ViolationException($"Node {node.Name} goes on though its disk has refused something.");
        if (node.LastWord is not { } word || !word.Contains("The node stopped", StringComparison.Ordinal))
            throw new ViolationException($"Node {node.Name} stopped because its disk failed, and its log does not say so: {node.LastWord ?? "nothing critical"}.");
    }

    /// <summary>A node that its disk has stopped is ended and started by whoever runs it.</summary>
    private async Task RestartFailedAsync(NodeUnderTest node)
    {
        if (!node.IsUp || node.Failure is null)
            return;
        node.Crash(powerFails: Random.Next(2) == 0);
        await ComeBackAsync(node);
    }
}
