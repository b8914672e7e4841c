using Watch.Embedded.Simulation;

namespace Watch.Simulation.Tests.Faults;

/// <summary>What happens to events on their way, to the grains that they pass, and to the clients that wait for them.</summary>
internal sealed partial class Nemesis
{
    private static readonly FaultKind[] s_ofStreams = [FaultKind.StreamLost, FaultKind.StreamDuplicated, FaultKind.StreamReordered];

    private void BeginStreamFaults()
    {
        var kinds = s_ofStreams.Where(_plan.Has).ToList();
        if (kinds.Count > 0)
            cluster.World.StreamFate = _ => _over ? MessageFate.Usual : FateOf(kinds);
    }

    private MessageFate FateOf(List<FaultKind> kinds)
    {
        if (Random.NextDouble() > _plan.StreamFaults)
            return MessageFate.Usual;
        var kind = kinds[Random.Next(kinds.Count)];
        cluster.Counts.Add(kind);
        return kind switch
        {
            FaultKind.StreamLost => new MessageFate(0, TimeSpan.Zero),
            FaultKind.StreamDuplicated => new MessageFate(2, TimeSpan.Zero),
            _ => new MessageFate(1, TimeSpan.FromSeconds(Random.NextDouble() * Random.NextDouble() * 3)),
        };
    }

    private async Task KillGrainsAsync(FaultKind kind, string grains)
    {
        await PauseAsync(0, 2);
        if (AnyUp() is { Silo: { HasEnded: false } silo } && silo.Kill(grains) is > 0 and var killed)
            cluster.Counts.Add(kind, killed);
    }

    private async Task FreezeClientAsync()
    {
        await PauseAsync(0, 3);
        if (cluster.AnyProgram() is not { IsFrozen: false } program)
            return;
        program.Freeze();
        cluster.Counts.Add(FaultKind.ClientFrozen);
        // Now and then for longer than its session lives.
        await PauseAsync(0.1, Random.Next(5) == 0 ? 60 : 12);
        if (program is { IsFrozen: true, HasEnded: false })
            program.Thaw();
    }

    private async Task EndClientAsync()
    {
        await PauseAsync(0, 3);
        if (cluster.AnyProgram() is not { } program)
            return;
        var ended = new TaskCompletionSource();
        program.AfterSteps(1 + Random.Next(400), () =>
        {
            if (program.HasEnded)
                return;
            cluster.Counts.Add(FaultKind.ClientGone);
            program.End(noticed: Random.Next(2) == 0);
            ended.TrySetResult();
        });
        await Task.WhenAny(ended.Task, program.Ended, cluster.PassAsync(TimeSpan.FromSeconds(5)));
    }
}
