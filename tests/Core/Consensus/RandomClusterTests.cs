using System.Diagnostics;
using Watch.Core.Consensus;
using Xunit.Abstractions;

namespace Watch.Core.Tests.Consensus;

public sealed class RandomClusterTests(ITestOutputHelper output)
{
    private const int Seeds = 250;
    private const int BrokenSeedsMax = 600;

    [Fact]
    public void A_cluster_keeps_its_promises_whatever_happens_to_it()
    {
        var first = Tests.Seeds.Start(output, out var seed).Next(1_000_000_000);
        var (crashes, lost, cuts, transfers, changes, elections, writes, reads, leaseReads) = (0, 0, 0, 0, 0, 0, 0, 0, 0);
        var (snapshots, installs, retired) = (0, 0, 0L);
        for (var each = first; each < first + Seeds; each++)
        {
            var cluster = new RandomCluster(each, SafetyRules.Raft);
            try
            {
                cluster.Run();
            }
            catch (Exception broken)
            {
                throw new PromiseBrokenException($"WATCH_TEST_SEED={seed}, cluster {each}: {broken}");
            }
            (crashes, lost, cuts, transfers, changes) = (crashes + cluster.Crashes, lost + cluster.Lost, cuts + cluster.Cuts, transfers + cluster.Transfers, changes + cluster.Changes);
            (snapshots, installs, retired) = (snapshots + cluster.Snapshots, installs + cluster.Installs, retired + cluster.Retired);
            (elections, writes) = (elections + cluster.Checkers.Elections, writes + cluster.Checkers.Acknowledged);
            (reads, leaseReads) = (reads + cluster.Checkers.Reads, leaseReads + cluster.Checkers.LeaseReads);
        }
        var what = $"{Seeds} clusters from {first}: {elections} elections, {writes} writes, {reads} confirmed and {leaseReads} lease reads; {crashes} crashes, {lost} parcels lost, {cuts} cuts, {transfers} hand-overs, {changes} membership changes; {snapshots} snapshots taken, {installs} installed, {retired} segments retired";
        output.WriteLine(what);
        // A run in which nothing happened proves nothing.
        Assert.True(new long[] { crashes, cuts, transfers, changes, elections, reads, leaseReads, snapshots, installs, retired }.All(count => count > Seeds / 10) && writes > 100 * Seeds, what);
    }

    [Fact]
    public void Confirmed_reads_and_writes_need_no_clocks()
    {
        var first = Tests.Seeds.Start(output, out var seed).Next(1_000_000_000);
        for (var each = first; each < first + Seeds / 4; each++)
        {
            try
            {
                new RandomCluster(each, new NoLeases("no leases")).Run();
            }
            catch (Exception broken)
            {
                throw new PromiseBrokenException($"WATCH_TEST_SEED={seed}, cluster {each}: {broken}");
            }
        }
    }

    public static TheoryData<string> Variants => [.. BrokenRules.All.Select(rules => rules.Name)];

    [Theory]
    [MemberData(nameof(Variants))]
    public void Each_broken_rule_is_noticed(string name)
    {
        var rules = BrokenRules.All.Single(rules => rules.Name == name);
        var watch = Stopwatch.StartNew();
        for (var seed = 1; seed <= BrokenSeedsMax; seed++)
        {
            try
            {
                new RandomCluster(seed, rules).Run();
            }
            catch (Exception broken) when (broken is PromiseBrokenException or InvariantViolationException)
            {
                output.WriteLine($"{name}: noticed with seed {seed} after {watch.ElapsedMilliseconds} ms: {broken.Message}");
                return;
            }
            catch (StuckException)
            {
                continue;                     // nothing wrong was said
            }
        }
        Assert.Fail($"{name}: not noticed with {BrokenSeedsMax} seeds");
    }
}
