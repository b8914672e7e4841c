using System.Collections.Immutable;
using Orleans;
using Watch.Core;

namespace Watch
{
    /// <summary>
    /// The nodes of the cluster: to see, to change, to follow. It comes from the services, like <see cref="IWatchClient"/>: in a program
    /// outside the cluster (<c>AddWatchClient</c>) and in a silo (<c>AddWatch</c>). Thread-safe. Every method throws
    /// <see cref="WatchException"/> with a stable code.
    /// </summary>
    /// <remarks>
    /// It is apart from <see cref="IWatchClient"/> because an application has no business here: it is the operator's, and may be guarded
    /// differently.
    /// </remarks>
    public interface IWatchCluster
    {
        /// <summary>All nodes, with their parts in every group. A silo that does not answer within a second counts as unreachable.</summary>
        Task<ClusterNodes> ListNodesAsync(CancellationToken cancellationToken = default);

        /// <summary>
        /// Adds a silo that runs as a node: its data folder is new, it learns each group's log, and when it has caught up it votes. Done when
        /// it votes in every group; adding a node that is there already is done at once. A node whose folder is new replaces an old one of its
        /// name: the old one is removed before the new one votes. Adding a node that is being removed, while its silo answers, takes the
        /// removal back.
        /// </summary>
        /// <param name="name">The silo's node name (setting <c>NodeName</c>).</param>
        /// <param name="progress">Is told what changes on the way.</param>
        /// <param name="cancellationToken">Stops the waiting. The cluster goes on: the wish is recorded in it.</param>
        /// <exception cref="WatchException">
        /// <see cref="WatchErrorCode.UnknownNode"/>, <see cref="WatchErrorCode.FolderRefused"/>, <see cref="WatchErrorCode.NameTaken"/>,
        /// <see cref="WatchErrorCode.ChangeUnderWay"/> (also where another wish about the name came first), <see cref="WatchErrorCode.TooManyNodes"/>, no quorum, outcome unknown.
        /// </exception>
        Task<ClusterNode> AddNodeAsync(string name, IProgress<ClusterNodes>? progress = null, CancellationToken cancellationToken = default);

        /// <summary>
        /// Removes a node: what it leads is handed over, then it leaves every group, then the cluster. Done when it has. Its silo goes on
        /// without data of its own; its folder can never come back.
        /// </summary>
        /// <param name="name">The node's name.</param>
        /// <param name="force">
        /// Record the wish although too few other voters answer now. It is fulfilled when enough of them do: nothing makes a step that
        /// loses the majority.
        /// </param>
        /// <param name="progress">Is told what changes on the way.</param>
        /// <param name="cancellationToken">Stops the waiting. The cluster goes on: the wish is recorded in it.</param>
        /// <exception cref="WatchException">
        /// <see cref="WatchErrorCode.UnknownNode"/>, <see cref="WatchErrorCode.LastVoter"/>, <see cref="WatchErrorCode.WouldLoseQuorum"/>,
        /// <see cref="WatchErrorCode.ChangeUnderWay"/> (also where another wish about the name came first, or the node was added again before
        /// it was gone), no quorum, outcome unknown.
        /// </exception>
        Task RemoveNodeAsync(string name, bool force = false, IProgress<ClusterNodes>? progress = null, CancellationToken cancellationToken = default);

        /// <summary>
        /// The nodes now, at once, and again whenever membership, a leader, or who answers has changed: noticed within a second or two. Of
        /// several changes in between only the outcome is seen. It goes on by itself when a connection or a silo is lost, and ends only by
        /// its reader. While nobody is known to lead the group <see cref="ClusterNodes.SystemGroup"/>, it shows what the best informed silo
        /// that answers knows, which may lack the last changes. That a node whose folder is new replaces an old one of its name is two changes:
        /// for a moment the old one may be seen leaving, and the new one not yet coming.
        /// </summary>
        IAsyncEnumerable<ClusterNodes> WatchNodesAsync(CancellationToken cancellationToken = default);

        /// <summary>
        /// Gives up history up to and including a revision: watches and reads from before it are refused as compacted. Answers with the
        /// revision up to which there is none; it is later where that had been given up before, and then nothing is done.
        /// </summary>
        /// <exception cref="WatchException"><see cref="WatchErrorCode.FutureRevision"/>, no quorum, outcome unknown.</exception>
        Task<Revision> CompactAsync(Revision through, CancellationToken cancellationToken = default);

        /// <summary>The watches of all silos; what a silo that does not answer within a second has is missing, and the answer names it.</summary>
        Task<WatcherList> ListWatchersAsync(WatchersQuestion? question = null, CancellationToken cancellationToken = default);

        /// <summary>Ends a watch with <see cref="WatchEndReason.Removed"/>. False where there is none of that number.</summary>
        /// <param name="silo">The silo's name or address, as <see cref="WatcherInfo.Silo"/> has it.</param>
        /// <param name="id">The watch's number there, as <see cref="WatcherInfo.Id"/> has it.</param>
        /// <param name="cancellationToken">Stops the waiting.</param>
        /// <exception cref="WatchException"><see cref="WatchErrorCode.UnknownNode"/>: no silo answers to the name.</exception>
        Task<bool> EndWatcherAsync(string silo, long id, CancellationToken cancellationToken = default);
    }
}

namespace Watch.Interfaces
{
    /// <summary>
    /// The cluster's nodes. The grain's key is <see cref="Key"/>, or names one of its doors (<see cref="GrainKeys.OfClusterDoor"/>): a client
    /// whose connection is bound to a grain's name reaches another silo by another door. It keeps nothing; every silo has its own.
    /// </summary>
    [Alias("watch.IClusterGrain")]
    public interface IClusterGrain : IGrainWithStringKey
    {
        /// <summary>The grain's key.</summary>
        public const string Key = "cluster";

        /// <summary>The nodes now.</summary>
        [Alias("ListNodes"), ResponseTimeout("00:00:05")]
        Task<ClusterNodes> ListNodes(CancellationToken cancellationToken);

        /// <summary>
        /// The nodes as soon as they are other than when <paramref name="seen"/> was answered, or after a while as they are.
        /// </summary>
        /// <param name="seen">The last answer's <see cref="NodesNews.Token"/>; empty for at once.</param>
        /// <param name="hold">For how long the question is held where nothing changes; 2 s at most.</param>
        /// <param name="cancellationToken">Stops it.</param>
        [Alias("NextNodes2"), ResponseTimeout("00:00:10")]
        Task<NodesNews> NextNodes(string seen, TimeSpan hold, CancellationToken cancellationToken);

        /// <summary>
        /// Records that a node is to come; answered when that is certain, not when it is there. Telling it twice is as good as once, and one
        /// that comes late changes nothing: it is refused where something was wished of the name after what its teller had seen.
        /// </summary>
        /// <param name="name">The node's name.</param>
        /// <param name="seen">Up to where its teller had seen the nodes (<see cref="ClusterNodes.Index"/>), the same with every telling.</param>
        /// <param name="cancellationToken">Stops the telling.</param>
        /// <returns>Up to which entry of the system group's log the wish is recorded: a sight (<see cref="ClusterNodes.Index"/>) from before does not show it.</returns>
        /// <exception cref="WatchException">As <see cref="IWatchCluster.AddNodeAsync"/> says.</exception>
        [Alias("AddNode2"), ResponseTimeout("00:00:20")]
        Task<long> AddNode(string name, long seen, CancellationToken cancellationToken);

        /// <summary>
        /// Records that a node is to go; answered when that is certain, not when it is gone. Telling it twice is as good as once, and one that
        /// comes late changes nothing: the node that is meant is gone by then, or was told to stay after what its teller had seen, and the
        /// wish is refused.
        /// </summary>
        /// <param name="name">The node's name.</param>
        /// <param name="id">The number of the node that is meant (<see cref="ClusterNode.Id"/>).</param>
        /// <param name="seen">Up to where its teller had seen the nodes (<see cref="ClusterNodes.Index"/>), the same with every telling.</param>
        /// <param name="force">Record it though it cannot be fulfilled now.</param>
        /// <param name="cancellationToken">Stops the telling.</param>
        /// <returns>As <see cref="AddNode"/>.</returns>
        /// <exception cref="WatchException">As <see cref="IWatchCluster.RemoveNodeAsync"/> says.</exception>
        [Alias("RemoveNode2"), ResponseTimeout("00:00:20")]
        Task<long> RemoveNode(string name, string id, long seen, bool force, CancellationToken cancellationToken);

        /// <summary>The watches of all silos; as <see cref="IWatchCluster.ListWatchersAsync"/>.</summary>
        [Alias("ListWatchers"), ResponseTimeout("00:00:05")]
        Task<WatcherList> ListWatchers(WatchersQuestion question, CancellationToken cancellationToken);

        /// <summary>Ends a watch; as <see cref="IWatchCluster.EndWatcherAsync"/>.</summary>
        [Alias("EndWatcher"), ResponseTimeout("00:00:05")]
        Task<bool> EndWatcher(string silo, long id, CancellationToken cancellationToken);

        /// <summary>A sign of life of the silo behind this door: asks nobody, says nothing about the nodes.</summary>
        [Alias("Feel"), ResponseTimeout("00:00:01")]
        Task Feel();
    }

    /// <summary>The nodes, and what to ask with for the next sight of them.</summary>
    /// <param name="Nodes">The nodes.</param>
    /// <param name="Token">What the silo says of this sight. It means something to silos only: those of another version may put it otherwise.</param>
    [GenerateSerializer, Immutable, Alias("watch.NodesNews")]
    public sealed record NodesNews([property: Id(0)] ClusterNodes Nodes, [property: Id(1)] string Token);
}
