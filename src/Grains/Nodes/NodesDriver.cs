using System.Collections.Immutable;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.Runtime;
using Watch.Core;
using Watch.Core.Consensus;
using Watch.Core.Storage;
using Watch.Grains.Consensus;

namespace Watch.Grains.Nodes;

/// <summary>
/// Brings the groups to where the catalogue wants them, while this node leads the system group: it looks, asks the plan, carries out the
/// steps, and looks again. It remembers nothing that matters. When it stops anywhere, the next leader of the system group finds the same
/// wishes in the catalogue and the groups as they are by then.
/// </summary>
/// <remarks>
/// Used in the turns of <see cref="ReplicaService"/> only. Two drivers at once (an old leader that has not noticed yet) do no harm: every
/// step is checked by the leader of the group that it concerns, and the catalogue by its own rules.
/// </remarks>
internal sealed partial class NodesDriver(
    Replica replica,
    IReplicaServiceClient replicas,
    ClusterDesk desk,
    IOptions<WatchSiloOptions> options,
    TimeProvider time,
    ILogger<NodesDriver> logger)
{
    /// <summary>After steps were carried out they need a moment to commit; a learner that lags needs many.</summary>
    private static readonly TimeSpan s_stepPause = TimeSpan.FromMilliseconds(50);

    /// <summary>How often is looked again while no step can be made.</summary>
    private static readonly TimeSpan s_waitPause = TimeSpan.FromMilliseconds(500);

    /// <summary>How often a wish that would lose the quorum is looked at again, up to ten times, before it is refused.</summary>
    private static readonly TimeSpan s_hearingPause = TimeSpan.FromMilliseconds(200);

    private static readonly TimeSpan s_joinPause = TimeSpan.FromSeconds(1);

    private readonly Channel<bool> _wake = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });
    private readonly List<(LogIndex Last, Term Term, TaskCompletionSource<bool> Committed)> _wishes = [];
    private ImmutableArray<string> _waits = [];
    private readonly HashSet<NodeId> _telling = [];
    private bool _toldRemoved;

    private Node Node => replica.Node;

    private RaftGroup? System => Node.Groups.GetValueOrDefault(GroupId.System);

    /// <summary>Starts driving, and tells what a node with a new folder is to the cluster. Once, when the replica runs.</summary>
    public async Task BeginAsync()
    {
        replica.SystemChanged = SystemChanged;
        replica.RemovedSpoke = RemovedSpoke;
        // Owned by this object: it ends when the replica accepts nothing any more.
        _ = DriveAsync();
        if (Node.Incarnation is not null)
            return;
        TellNewFolder(await desk.LookAsync());
        if (options.Value.Join)
            _ = JoinAsync();
    }

    /// <summary>What this node says of itself and of the cluster.</summary>
    public NodeReport Report() => new()
    {
        Node = Node.Self.Id,
        Name = Node.Self.Name,
        Incarnation = replica.Incarnation,
        Nodes = [.. Node.Catalogue.NodeInfos.Select(node => new NamedNode(node.Id, node.Name, node.IsLeaving))],
        Removed = [.. Node.Catalogue.Removed.Keys],
        Groups = [.. Node.Groups.Values.Select(group => new NamedGroup(group.Id, NameOf(group.Id), replica.About(group.Id)))],
        Waits = System is { LeadsWithOwnTermCommitted: true } ? _waits : [],
        Unavailable = replica.Unavailable?.Message ?? "",
        CatalogueIndex = Node.CatalogueApplied.Value,
    };

    /// <summary>Records a wish, if this node leads the system group.</summary>
    public async Task<NodeWishReply> WishAsync(NodeWishRequest request)
    {
        var started = time.GetTimestamp();
        NodeWishAnswer answer;
        while (true)
        {
            var sight = await desk.LookAsync();
            if (replica.Unavailable is { } unavailable)
                return new NodeWishReply { Refusal = unavailable };
            // W4: from here to the proposal nothing comes between, so that what is behind the catalogue in the log was decided by it, too.
            if (System is not { LeadsWithOwnTermCommitted: true } system || Node.CatalogueApplied < system.Committed)
                return new NodeWishReply { Refusal = replica.NotLeading(GroupId.System) };
            if (request.Leaves && AlreadyAnswered(request) is { } already)
                return already;

            answer = request.Leaves
                ? NodeWish.Remove(Node.Catalogue, sight.Groups(), sight.Answered, request.Name, request.Force)
                : NodeWish.Add(Node.Catalogue, sight.Groups(), sight.Silos(), sight.Answered, request.Name);
            answer = NodeWish.InTime(answer, Node.Catalogue, request.Name, new LogIndex(request.Seen));
            // A leader that was just elected has not heard everybody yet.
            if (answer.Refusal != NodeRefusal.WouldLoseQuorum || time.GetElapsedTime(started) >= s_hearingPause * 10)
                break;
            await Task.Delay(s_hearingPause, time);
        }

        if (answer.Refusal is { } refusal)
            return new NodeWishReply { Error = (int)CodeOf(refusal), Message = answer.Message };
        if (answer.Commands.IsEmpty)
            return Recorded();
        LogWish(logger, request.Leaves ? "go" : "come", request.Name);
        return await ProposeAsync(answer.Commands);
    }

    /// <summary>What a wish for a node to go comes to whose node goes, has gone or was never here; null where it is here and stays.</summary>
    private NodeWishReply? AlreadyAnswered(NodeWishRequest request)
    {
        // A silo of another version may not know of numbers.
        var number = request.Id ?? "";
        if (Node.Catalogue.NodeInfos.Any(node => node.Id.ToString() == number && node.Name == request.Name && !node.IsLeaving))
            return null;
        // It was wished before, perhaps by a telling whose answer was lost; the name may be another node's by now.
        return Node.Catalogue.NodeInfos.Select(node => node.Id).Concat(Node.Catalogue.Removed.Keys).Any(id => id.ToString() == number)
            ? Recorded()
            : new NodeWishReply { Error = (int)WatchErrorCode.UnknownNode, Message = $"The cluster has no node '{request.Name}' with the number '{number}'." };
    }

    public LeaderReply HandOver(GroupId group, NodeId to)
    {
        var began = replica.HandOver(group, to);
        replica.Wake();
        return began ? new LeaderReply() : new LeaderReply { Refusal = replica.NotLeading(group) };
    }

    /// <summary>Somebody who knows says that a node was removed.</summary>
    public void HearRemoved(NodeId node)
    {
        if (node != Node.Self.Id || _toldRemoved)
            return;
        _toldRemoved = true;
        replica.Leave();
        LogRemoved(logger, Node.Self.Name, Node.Self.Id);
    }

    /// <summary>Whether the cluster knows this node as one that was removed: it takes part in nothing any more.</summary>
    public async Task<bool> WasRemovedAsync()
    {
        var sight = await desk.LookAsync();
        var removed = sight.Answers.Any(each => each.Report.Incarnation == replica.Incarnation && each.Report.Removed.Contains(Node.Self.Id));
        if (removed)
            HearRemoved(Node.Self.Id);
        return removed;
    }

    private async Task DriveAsync()
    {
        while (replica.Unavailable is null)
        {
            try
            {
                if (System is { LeadsWithOwnTermCommitted: true } && await StepAsync() is { } pause)
                {
                    await Task.Delay(pause, time);
                    continue;
                }

                _waits = [];
                await _wake.Reader.WaitToReadAsync();
                _wake.Reader.TryRead(out _);
            }
            catch (Exception error)
            {
                // The next look starts from what is.
                LogDriverFailed(logger, error);
                await Task.Delay(s_waitPause, time);
            }
        }
    }

    /// <summary>Looks once and carries out what can be; how long to pause before the next look, null where everything is as it should be.</summary>
    private async Task<TimeSpan?> StepAsync()
    {
        var sight = await desk.LookAsync();
        if (System is not { LeadsWithOwnTermCommitted: true })
            return null;
        await TellRemovedAsync(sight);
        var answer = MembershipPlan.Next(Node.Catalogue, sight.Groups(), sight.Answered);
        _waits = answer.Waits;
        foreach (var step in answer.Steps)
            await CarryAsync(step, sight);
        if (answer.IsDone)
            return null;
        return answer.Steps.IsEmpty ? s_waitPause : s_stepPause;
    }

    private async Task CarryAsync(PlanStep step, ClusterSight sight)
    {
        LogStep(logger, step);
        try
        {
            switch (step)
            {
                case PlanStep.Change change when sight.SiloOf(change.Leader) is { } silo:
                    var reply = await replicas.At(silo).ChangeMembers(change.Group, change.What);
                    LogOutcome(logger, step, reply.Refusal?.Message ?? reply.Outcome.ToString());
                    break;
                case PlanStep.HandOver hand when sight.SiloOf(hand.Leader) is { } silo:
                    await replicas.At(silo).HandOver(hand.Group, hand.To);
                    break;
                case PlanStep.Forget forget:
                    await ProposeAsync([new CatalogueCommand.NodeRemoved(forget.Node)]);
                    // It may have been asked to stay meanwhile, or nothing was recorded; who was removed and not told is told when it speaks.
                    if (Node.Catalogue.Removed.ContainsKey(forget.Node) && sight.SiloOf(forget.Node) is { } gone)
                        await replicas.At(gone).HearRemoved(forget.Node);
                    break;
            }
        }
        catch (Exception error) when (ClusterDesk.IsLost(error))
        {
            LogOutcome(logger, step, error.Message);
        }
    }

    /// <summary>A removed node that was away when it was removed, and whose silo is back.</summary>
    private async Task TellRemovedAsync(ClusterSight sight)
    {
        foreach (var (silo, report) in sight.Answers.Where(each => Node.Catalogue.Removed.ContainsKey(each.Report.Node)))
        {
            try
            {
                await replicas.At(silo).HearRemoved(report.Node);
            }
            catch (Exception error) when (ClusterDesk.IsLost(error))
            {
                LogUntold(logger, error, report.Name);
            }
        }
    }

    /// <summary>A removed node that does not know it speaks to this one: whichever node hears it tells it, leader or not.</summary>
    private void RemovedSpoke(NodeId node, SiloAddress silo)
    {
        if (_telling.Add(node))
            _ = TellRemovedAsync(node, silo);
    }

    private async Task TellRemovedAsync(NodeId node, SiloAddress silo)
    {
        try
        {
            await replicas.At(silo).HearRemoved(node);
        }
        catch (Exception error)
        {
            // It speaks again, and is told again.
            LogUntold(logger, error, node.ToString());
        }
        finally
        {
            _telling.Remove(node);
        }
    }

    private async Task<NodeWishReply> ProposeAsync(ImmutableArray<CatalogueCommand> commands)
    {
        if (replica.Unavailable is { } unavailable)
            return new NodeWishReply { Refusal = unavailable };
        var outcome = replica.Propose(GroupId.System, [.. commands.Select(command => (ReadOnlyMemory<byte>)command.Encode())]);
        if (!outcome.Accepted)
            return new NodeWishReply { Refusal = replica.NotLeading(GroupId.System) };
        var committed = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        _wishes.Add((outcome.First + (commands.Length - 1), outcome.Term, committed));
        replica.Wake();
        if (!await committed.Task)
            return new NodeWishReply { Error = (int)WatchErrorCode.OutcomeUnknown, Message = "The leader was lost while the wish was being recorded; it may have been or not. Asking again is harmless." };
        // C4: somebody else's wish may have come first.
        foreach (var command in commands)
        {
            if (Node.Catalogue.Foresee(command) is var found && found != CatalogueOutcome.Done)
                return new NodeWishReply { Error = (int)WatchErrorCode.ChangeUnderWay, Message = $"Another wish came first ({found}). Look at the nodes, and try again." };
        }

        return Recorded();
    }

    private NodeWishReply Recorded() => new() { Index = Node.CatalogueApplied.Value };

    /// <summary>An entry of the system group was applied, or its leader changed.</summary>
    private void SystemChanged()
    {
        foreach (var wish in _wishes.ToList())
        {
            var stillLeads = replica.Unavailable is null && System is { Role: Role.Leader } group && group.Term == wish.Term;
            var isApplied = Node.CatalogueApplied >= wish.Last;
            if (stillLeads && !isApplied)
                continue;
            _wishes.Remove(wish);
            wish.Committed.TrySetResult(stillLeads && isApplied);
        }

        _wake.Writer.TryWrite(true);
    }

    private async Task JoinAsync()
    {
        while (replica.Unavailable is null && !Node.Catalogue.Nodes.ContainsKey(Node.Self.Id))
        {
            try
            {
                var seen = (await desk.LookAsync()).Best()?.CatalogueIndex ?? 0;
                await desk.WishAsync(new NodeWishRequest(Node.Self.Name, Leaves: false, Force: false) { Seen = seen });
                return;
            }
            catch (WatchException error) when (error.Code is WatchErrorCode.FolderRefused or WatchErrorCode.NameTaken or WatchErrorCode.TooManyNodes)
            {
                LogNotJoined(logger, Node.Self.Name, error.Message);
                return;
            }
            catch (WatchException error)
            {
                LogJoinWaits(logger, Node.Self.Name, error.Message);
                await Task.Delay(s_joinPause, time);
            }
        }
    }

    private void TellNewFolder(ClusterSight sight)
    {
        if (sight.Best() is not { } best)
            return;
        if (best.Nodes.FirstOrDefault(node => node.Name == Node.Self.Name && node.Node != Node.Self.Id) is { } old)
            LogNewFolderOfOldName(logger, Node.Self.Name, Node.Self.Id, old.Node);
        else
            LogNewFolder(logger, Node.Self.Name, Node.Self.Id);
    }

    private string NameOf(GroupId group) => group == GroupId.System
        ? ClusterNodes.SystemGroup
        : Node.Catalogue.Buckets.Values.FirstOrDefault(bucket => bucket.Group == group)?.Name ?? $"group {group}";

    private static WatchErrorCode CodeOf(NodeRefusal refusal) => refusal switch
    {
        NodeRefusal.UnknownNode => WatchErrorCode.UnknownNode,
        NodeRefusal.FolderRefused => WatchErrorCode.FolderRefused,
        NodeRefusal.NameTaken => WatchErrorCode.NameTaken,
        NodeRefusal.LastVoter => WatchErrorCode.LastVoter,
        NodeRefusal.WouldLoseQuorum => WatchErrorCode.WouldLoseQuorum,
        NodeRefusal.TooManyNodes => WatchErrorCode.TooManyNodes,
        _ => WatchErrorCode.ChangeUnderWay,
    };

    [LoggerMessage(Level = LogLevel.Information, Message = "Node '{Name}' is to {Direction}")]
    private static partial void LogWish(ILogger logger, string direction, string name);

    [LoggerMessage(Level = LogLevel.Information, Message = "Step: {Step}")]
    private static partial void LogStep(ILogger logger, PlanStep step);

    [LoggerMessage(Level = LogLevel.Debug, Message = "Step {Step}: {Outcome}")]
    private static partial void LogOutcome(ILogger logger, PlanStep step, string outcome);

    [LoggerMessage(Level = LogLevel.Error, Message = "The nodes could not be looked after; it is tried again")]
    private static partial void LogDriverFailed(ILogger logger, Exception error);

    [LoggerMessage(Level = LogLevel.Debug, Message = "Node '{Name}' was removed and could not be told")]
    private static partial void LogUntold(ILogger logger, Exception error, string name);

    [LoggerMessage(Level = LogLevel.Error, Message = "Node '{Name}' ({Id}) was removed from the cluster. Its data folder is of no use any more: stop the silo, empty the folder, start it again as a new node, and add that with 'watch node add {Name}'. Until then the silo stores nothing and only takes requests to the others")]
    private static partial void LogRemoved(ILogger logger, string name, NodeId id);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The data folder is new, so '{Name}' is a new node ({Id}). The cluster knows an older node of this name ({Old}), which this one is not. 'watch node add {Name}' replaces it: the old one is removed before the new one votes. Until then this node stores nothing")]
    private static partial void LogNewFolderOfOldName(ILogger logger, string name, NodeId id, NodeId old);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The data folder is new, so '{Name}' is a new node ({Id}). It stores nothing until it is added: 'watch node add {Name}'")]
    private static partial void LogNewFolder(ILogger logger, string name, NodeId id);

    [LoggerMessage(Level = LogLevel.Error, Message = "Node '{Name}' asked to be added (setting Join) and was refused: {Reason}")]
    private static partial void LogNotJoined(ILogger logger, string name, string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "Node '{Name}' asks to be added (setting Join) and waits: {Reason}")]
    private static partial void LogJoinWaits(ILogger logger, string name, string reason);
}
