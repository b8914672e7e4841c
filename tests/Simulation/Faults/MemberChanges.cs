using Microsoft.Extensions.DependencyInjection;
using Watch.Client;
using Watch.Core;
using Watch.Core.Consensus;
using Watch.Grains.Consensus;

namespace Watch.Simulation.Tests.Faults;

/// <summary>
/// The operator who decides which nodes there are, with the product's own means: adds and removes are wishes that the cluster records and
/// fulfils by itself, whatever becomes of the operator's call. A node that was removed comes back with an empty folder, as another node;
/// one that lost its folder is replaced by being added again.
/// </summary>
internal sealed class MemberChanges(ClusterUnderTest cluster)
{
    private static readonly GroupId[] s_groups = [GroupId.System, GroupId.Default];
    private static readonly TimeSpan s_callLimit = TimeSpan.FromSeconds(12);

    private IWatchCluster? _operator;

    /// <summary>Whether a change is under way: then no node may lose what it has synced.</summary>
    public bool IsBusy { get; private set; }

    /// <summary>The node that carries out what the operator wishes; null where none does.</summary>
    public NodeUnderTest? Driver => LeaderOf(GroupId.System);

    /// <summary>Whether every group has as many voters as there are nodes, and nobody comes or goes.</summary>
    public bool IsSettled => s_groups.All(group =>
        LeaderOf(group) is { } leader && ReplicaOf(leader, group) is { MembersCommitted: true, Members: { Learners.Length: 0 } members } && members.Voters.Length == cluster.Nodes.Count)
        && NodeOf(Driver!).Catalogue.NodeInfos.All(node => !node.IsLeaving);

    /// <summary>Has just these nodes vote. False where that took longer than the limit: some of it may have been done, or be done later.</summary>
    public async Task<bool> ReachAsync(IReadOnlyList<NodeUnderTest> voters, TimeSpan limit)
    {
        var started = cluster.World.TimeProvider.GetTimestamp();
        while (IsBusy)
            await PauseAsync();
        IsBusy = true;
        try
        {
            while (!s_groups.All(group => IsReached(group, voters)))
            {
                var left = limit - cluster.World.TimeProvider.GetElapsedTime(started);
                if (left <= TimeSpan.Zero)
                    return false;
                await StepAsync(voters, left < s_callLimit ? left : s_callLimit);
                await PauseAsync();
            }

            foreach (var node in voters)
                node.WasReplaced();
            return true;
        }
        finally
        {
            IsBusy = false;
        }
    }

    private bool IsReached(GroupId group, IReadOnlyList<NodeUnderTest> voters) =>
        LeaderOf(group) is { } leader && ReplicaOf(leader, group) is { MembersCommitted: true, Members: { Learners.Length: 0 } members }
        && members.Voters.Length == voters.Count && voters.All(node => node.Id is { } id && members.Voters.Contains(id));

    private async Task StepAsync(IReadOnlyList<NodeUnderTest> voters, TimeSpan limit)
    {
        if (Driver is not { } driver)
            return;
        var catalogue = NodeOf(driver).Catalogue;
        if (voters.FirstOrDefault(node => node.Id is { } id && catalogue.Removed.ContainsKey(id)) is { } removed)
            await removed.RenewAsync();
        else if (catalogue.NodeInfos.FirstOrDefault(node => !node.IsLeaving && voters.All(voter => voter.Name != node.Name)) is { } leaves)
            await AskAsync($"remove {leaves.Name}", limit, (nodes, token) => nodes.RemoveNodeAsync(leaves.Name, cancellationToken: token));
        else if (voters.FirstOrDefault(node => node.Id is { } id && catalogue.NodeInfos.All(known => known.Id != id)) is { } comes && !(cluster.Plan.Joins && cluster.Random.Next(20) != 0))
            await AskAsync($"add {comes.Name}", limit, (nodes, token) => nodes.AddNodeAsync(comes.Name, cancellationToken: token));
    }

    private async Task AskAsync(string what, TimeSpan limit, Func<IWatchCluster, CancellationToken, Task> ask)
    {
        _operator ??= cluster.AddOperator("operator");
        using var patience = new CancellationTokenSource();
        cluster.World.Note("members", what);
        var asked = ask(_operator, patience.Token);
        await Task.WhenAny(asked, cluster.PassAsync(limit));
        patience.Cancel();
        try
        {
            await asked;
        }
        catch (Exception error) when (error is WatchException or OperationCanceledException)
        {
            cluster.World.Note("members", $"{what}: {error.Message}");
        }
    }

    private NodeUnderTest? LeaderOf(GroupId group) => cluster.Nodes.FirstOrDefault(node => node.IsUp && ReplicaOf(node, group) is { LeadsWithOwnTermCommitted: true });

    /// <summary>A node that was told that it is none any more stands still as it was, perhaps as a leader.</summary>
    private static RaftGroup? ReplicaOf(NodeUnderTest node, GroupId group) =>
        node.IsUp && node.Silo!.Services.GetRequiredService<Replica>().Serves ? NodeOf(node).Groups.GetValueOrDefault(group) : null;

    private static Node NodeOf(NodeUnderTest node) => node.Silo!.Services.GetRequiredService<Replica>().Node;

    private Task PauseAsync() => cluster.PassAsync(TimeSpan.FromMilliseconds(50));
}
