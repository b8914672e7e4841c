// Silos that start, stop and die; grain services; membership; the stages of a silo's life.
using Orleans.Hosting;
using Orleans.TestingHost;

namespace Watch.Hosting.Tests;

public sealed class ClusterTests
{
    [Fact]
    public async Task A_grain_service_is_reached_on_every_silo_from_every_silo()
    {
        await using var cluster = await TestCluster.StartAsync(3);
        foreach (var from in cluster.Silos)
        {
            var services = from.ServiceProvider.GetRequiredService<EchoServiceClient>();
            foreach (var to in cluster.Silos)
                Assert.Equal(to.SiloAddress.ToParsableString(), await services.On(to.SiloAddress).Where());
        }
    }

    [Fact]
    public async Task A_grain_service_interleaves_its_calls()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        var silo = cluster.Silos[0];
        var service = silo.ServiceProvider.GetRequiredService<EchoServiceClient>().On(silo.SiloAddress);
        var first = service.Hold("service-1a");
        var second = service.Hold("service-1b");
        await Signals.Wait("service-1a began");
        await Signals.Wait("service-1b began");
        Signals.Set("service-1a may end");
        Signals.Set("service-1b may end");
        await Task.WhenAll(first, second);
    }

    [Fact]
    public async Task A_grain_service_is_initialized_started_and_stopped()
    {
        var cluster = await TestCluster.StartAsync(1);
        var address = cluster.Silos[0].SiloAddress.ToParsableString();
        Assert.Equal(["init", "start"], Journal.Read(address));
        await cluster.DisposeAsync();
        Assert.Equal(["init", "start", "stop"], Journal.Read(address));
    }

    [Fact]
    public async Task A_call_to_a_killed_silos_service_fails_with_SiloUnavailableException()
    {
        await using var cluster = await TestCluster.StartAsync(3);
        var dead = cluster.Silos[2];
        var services = cluster.Silos[0].ServiceProvider.GetRequiredService<EchoServiceClient>();
        await services.On(dead.SiloAddress).Where();
        await cluster.KillSiloAsync(dead);
        await cluster.WaitForLivenessToStabilizeAsync(didKill: true);
        await Assert.ThrowsAsync<SiloUnavailableException>(() => services.On(dead.SiloAddress).Where());
    }

    [Fact]
    public async Task Grains_of_a_killed_silo_are_activated_elsewhere()
    {
        await using var cluster = await TestCluster.StartAsync(3);
        foreach (var i in Enumerable.Range(0, 12))
            await cluster.Client.GetGrain<IPlacedGrain>($"kill-{i}").Where();
        var dead = cluster.Silos[1];
        await cluster.KillSiloAsync(dead);
        await cluster.WaitForLivenessToStabilizeAsync(didKill: true);
        foreach (var i in Enumerable.Range(0, 12))
            Assert.NotEqual(dead.SiloAddress.ToString(), await cluster.Client.GetGrain<IPlacedGrain>($"kill-{i}").Where());
    }

    [Fact]
    public async Task A_stopped_silo_deactivates_its_grains_and_another_can_join()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        await cluster.Client.GetGrain<ICallGrain>("stop-1").WhoAmI();
        var second = await cluster.StartAdditionalSiloAsync();
        await cluster.WaitForLivenessToStabilizeAsync();
        Assert.Equal(2, cluster.GetActiveSilos().Count());
        var first = cluster.Silos[0];
        await cluster.StopSiloAsync(first);
        Assert.Contains("deactivated: ShuttingDown", Journal.Read("stop-1"));
        Assert.Equal([second.Name], cluster.GetActiveSilos().Select(s => s.Name));
    }

    [Fact]
    public async Task Membership_names_the_silos_and_tells_of_changes()
    {
        await using var cluster = await TestCluster.StartAsync(2);
        var membership = cluster.Silos[0].ServiceProvider.GetRequiredService<IClusterMembershipService>();
        foreach (var silo in cluster.Silos)
        {
            var member = membership.CurrentSnapshot.Members[silo.SiloAddress];
            Assert.Equal(SiloStatus.Active, member.Status);
            Assert.Equal(silo.Name, member.Name);
        }

        var leaving = cluster.Silos[1];
        await cluster.StopSiloAsync(leaving);
        using var limit = new CancellationTokenSource(TestCluster.Patience);
        await foreach (var snapshot in membership.MembershipUpdates.WithCancellation(limit.Token))
        {
            if (!snapshot.Members.TryGetValue(leaving.SiloAddress, out var gone) || gone.Status == SiloStatus.Dead)
                break;
        }
    }

    [Fact]
    public async Task A_restarted_silo_has_its_name_and_a_new_generation()
    {
        await using var cluster = await TestCluster.StartAsync(2);
        var before = cluster.Silos[1];
        var after = await cluster.RestartSiloAsync(before);
        Assert.NotNull(after);
        Assert.Equal(before.Name, after.Name);
        Assert.NotEqual(before.SiloAddress, after.SiloAddress);
        var service = cluster.Silos[0].ServiceProvider.GetRequiredService<EchoServiceClient>().On(after.SiloAddress);
        Assert.Equal(after.SiloAddress.ToParsableString(), await service.Where());
    }

    [Fact]
    public async Task Stages_start_in_order_and_stop_in_reverse()
    {
        const string journal = "lifecycle-1";
        int[] stages = [ServiceLifecycleStage.RuntimeStorageServices, ServiceLifecycleStage.ApplicationServices, ServiceLifecycleStage.Active];
        var cluster = await TestCluster.StartAsync(1, silo =>
        {
            silo.AddStartupTask((_, _) =>
            {
                Journal.Write(journal, "startup task");
                return Task.CompletedTask;
            });
            foreach (var stage in stages.Reverse())
                silo.Services.AddSingleton<ILifecycleParticipant<ISiloLifecycle>>(new StageParticipant(journal, stage));
        });
        var started = Journal.Read(journal);
        Assert.Equal(["start 6000", "start 10000"], started[..2]);
        Assert.Equal(["start 20000", "startup task"], started[2..].Order());
        await cluster.DisposeAsync();
        Assert.Equal(["stop 20000", "stop 10000", "stop 6000"], Journal.Read(journal)[4..]);
    }

    [Fact]
    public async Task A_silo_whose_startup_task_fails_does_not_start()
    {
        var e = await Assert.ThrowsAnyAsync<Exception>(() => TestCluster.StartAsync(1, silo =>
            silo.AddStartupTask((_, _) => throw new InvalidOperationException("not today"))));
        Assert.Contains("not today", e.ToString());
    }

    private sealed class StageParticipant(string journal, int stage) : ILifecycleParticipant<ISiloLifecycle>
    {
        public void Participate(ISiloLifecycle lifecycle) => lifecycle.Subscribe<StageParticipant>(
            stage, _ => Write("start"), _ => Write("stop"));

        private Task Write(string what)
        {
            Journal.Write(journal, $"{what} {stage}");
            return Task.CompletedTask;
        }
    }
}

[Alias("tests.IPlacedGrain")]
public interface IPlacedGrain : IGrainWithStringKey
{
    Task<string> Where();
}

public class PlacedGrain : Grain, IPlacedGrain
{
    public Task<string> Where() => Task.FromResult(RuntimeIdentity);
}
