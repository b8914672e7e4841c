using Watch.Core;
using Watch.Core.Keyspace;
using Watch.Grains.Consensus;

namespace Watch.Cluster.Tests;

/// <summary>What other threads see of a replica's state.</summary>
public sealed class BucketReadingTests
{
    [Fact]
    public void A_state_that_is_closed_once_a_reader_has_found_it_open_is_not_looked_at()
    {
        var reading = new BucketReading(new BucketState()) { IsOpen = true, LeaseUntil = TimeSpan.MaxValue };
        Assert.True(reading.TryRead(ReadPolicy.Lease, TimeProvider.System, 0, static (_, _) => true, out _));

        // A commit that breaks in its middle closes the state while it holds the lock for which the reader waits.
        var breaks = new HookedTime(() => reading.IsOpen = false);
        Assert.False(reading.TryRead(ReadPolicy.Lease, breaks, 0, static (_, _) => true, out _));
    }

    /// <summary>Something happens when the clock is looked at, which is between the look whether the state is open and the lock.</summary>
    private sealed class HookedTime(Action looked) : TimeProvider
    {
        public override long GetTimestamp()
        {
            looked();
            return base.GetTimestamp();
        }
    }
}
