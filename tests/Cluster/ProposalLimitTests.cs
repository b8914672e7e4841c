using Microsoft.Extensions.DependencyInjection;
using Orleans;
using Watch.Core;
using Watch.Core.Keyspace;
using Watch.Grains;
using Watch.Grains.Consensus;
using Watch.Grains.Storage;
using Watch.Interfaces;

namespace Watch.Cluster.Tests;

/// <summary>A silo's door to the log, before which writes wait while the leader's disk stands still.</summary>
public sealed class ProposalLimitTests
{
    private const int Large = 400 << 10;

    /// <summary>Two batches are on their way; of what comes then two writes fit into the limit.</summary>
    [Fact]
    public Task No_more_bytes_wait_for_the_leader_than_allowed() => RefusesAsync(
        options => options.ProposalsBytesMax = 1 << 20, bytes: Large, refused: 3, $"{2 * Large / 1000}");

    /// <summary>However large it is, one may wait: or it could never be written.</summary>
    [Fact]
    public Task A_write_that_is_alone_may_be_larger_than_all_that_may_wait() => RefusesAsync(
        options => (options.ProposalsBytesMax, options.ValueBytesMax) = (1 << 20, 2 << 20), bytes: 3 << 19, refused: 4, "bytes of writes wait");

    [Fact]
    public Task No_more_writes_wait_for_the_leader_than_allowed() => RefusesAsync(
        options => options.ProposalsMax = 3, bytes: 10, refused: 2, "3 writes wait");

    private static async Task RefusesAsync(Action<WatchSiloOptions> limit, int bytes, int refused, string said)
    {
        using var disk = new StandingDisk();
        await using var cluster = await WatchCluster.StartAsync(1, limit, services: services => services.AddSingleton<IDiskWorker>(disk));
        await cluster.Client.PutAsync("/first", "1");
        using var held = disk.Hold();
        var door = cluster.Services(0).GetRequiredService<IGrainFactory>().GetGrain<IConsensusGrain>(GrainKeys.OfBucket(BucketId.Default));

        var writes = Enumerable.Range(0, 7).Select(at => door.Propose(new Proposal(CommandCodec.Encode(WriteCommand.Put(Key.Of($"/k/{at}"), new byte[bytes]))))).ToList();
        for (var number = 0; number < refused; number++)
        {
            var ended = await Task.WhenAny(writes).WaitAsync(WatchCluster.Patience);
            writes.Remove(ended);
            var error = await Assert.ThrowsAsync<WatchException>(() => ended);
            Assert.Equal(WatchErrorCode.Busy, error.Code);
            Assert.Contains(said, error.Message, StringComparison.Ordinal);
        }

        Assert.All(writes, each => Assert.False(each.IsCompleted));
        held.Dispose();
        var outcomes = await Task.WhenAll(writes).WaitAsync(WatchCluster.Patience);
        Assert.Equal(Enumerable.Range(2, outcomes.Length), outcomes.Select(each => (int)each.Result.Revision.Value).Order());
        // What waited is gone: there is room again.
        await door.Propose(new Proposal(CommandCodec.Encode(WriteCommand.Put(Key.Of("/after"), new byte[bytes]))));
    }

    /// <summary>A disk that works at once, or when a test lets it.</summary>
    private sealed class StandingDisk : IDiskWorker, IDisposable
    {
        private readonly Lock _lock = new();
        private TaskCompletionSource? _held;

        /// <summary>It stands until what this returns is disposed.</summary>
        public IDisposable Hold()
        {
            lock (_lock)
                _held = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return this;
        }

        public void Dispose()
        {
            TaskCompletionSource? held;
            lock (_lock)
                (held, _held) = (_held, null);
            held?.SetResult();
        }

        public async ValueTask Run(Action job)
        {
            Task? held;
            lock (_lock)
                held = _held?.Task;
            if (held is not null)
                await held;
            job();
        }
    }
}
