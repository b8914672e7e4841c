using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans;
using Orleans.Runtime;
using Watch.Core;
using Watch.Core.Consensus;
using Watch.Core.Keyspace;
using Watch.Core.Storage;
using Watch.Grains.Storage;

namespace Watch.Grains.Consensus;

/// <summary>
/// Opens this node's data folder before anything of the silo runs, and closes it after everything has stopped. A folder that cannot be
/// trusted (damaged, in use, of another node) stops the silo's start.
/// </summary>
internal sealed partial class NodeStorage(
    IFileSystem files,
    IDiskWorker disk,
    IWatchRandom random,
    ILocalSiloDetails silo,
    IOptions<WatchSiloOptions> options,
    ILogger<NodeStorage> logger,
    ReplicaSeams? seams = null) : ILifecycleParticipant<ISiloLifecycle>
{
    private readonly ReplicaSeams _seams = seams ?? ReplicaSeams.None;
    private readonly Dictionary<GroupId, (BucketState State, LogIndex UpTo)> _states = [];
    private DataFolder? _folder;
    private Func<Task>? _stopWriting;

    /// <summary>The open folder.</summary>
    public DataFolder Folder => _folder ?? throw new InvalidOperationException("The data folder is not open.");

    /// <summary>What its log held when it was opened.</summary>
    public RecoveredLog Recovered { get; } = new(RaftOf(options.Value, (seams ?? ReplicaSeams.None).Log));

    /// <summary>Times and limits of consensus, as this silo's options have them.</summary>
    public RaftOptions Raft { get; } = RaftOf(options.Value, (seams ?? ReplicaSeams.None).Log);

    /// <summary>Where disk work is done.</summary>
    public IDiskWorker Disk => disk;

    /// <summary>This node's name.</summary>
    public string NodeName => string.IsNullOrEmpty(options.Value.NodeName) ? silo.Name : options.Value.NodeName;

    /// <summary>A group's bucket as its snapshot has it, once; an empty one where there is none. The log goes on from there.</summary>
    public BucketReplica BucketOf(GroupId group, WatchSiloOptions limits, ReplicaRules rules) => _states.Remove(group, out var loaded)
        ? new BucketReplica(group, limits, loaded.State, loaded.UpTo, rules)
        : new BucketReplica(group, limits, new BucketState(ResultLimits.Standard, _seams.Keyspace), rules: rules);

    /// <summary>Names what has to have ended before the folder is closed.</summary>
    public void CloseAfter(Func<Task> stopWriting) => _stopWriting = stopWriting;

    private static RaftOptions RaftOf(WatchSiloOptions options, LogOptions log)
    {
        var standard = new RaftOptions();
        return standard with
        {
            SnapshotEntries = options.SnapshotEntries,
            SnapshotBytes = options.SnapshotBytes,
            SnapshotTailEntries = Math.Min(standard.SnapshotTailEntries, options.SnapshotEntries / 10),
            // What is written again to give a segment up has to be much less than a segment.
            RewriteBytesMax = (int)Math.Min(standard.RewriteBytesMax, log.SegmentBytesMax / 16),
        };
    }

    public void Participate(ISiloLifecycle observer) =>
        observer.Subscribe(nameof(NodeStorage), ServiceLifecycleStage.RuntimeStorageServices, OpenAsync, CloseAsync);

    private async Task OpenAsync(CancellationToken cancellationToken)
    {
        await disk.Run(Open);
        if (Folder.Recovery?.Torn is { } torn)
            LogTornTail(logger, torn);
    }

    private void Open()
    {
        _folder = DataFolder.Open(files, options.Value.DataDirectory, NodeName, new RandomBits(random), _seams.Log, Recovered);
        foreach (var info in _folder.Snapshots.Newest.Values.Where(info => info.Group != GroupId.System))
        {
            using var reader = _folder.Snapshots.Read(info)!;
            _states.Add(info.Group, (BucketState.Load(Pieces(reader), _seams.Keyspace), info.Index));
        }
    }

    private static IEnumerable<ReadOnlyMemory<byte>> Pieces(SnapshotReader reader)
    {
        for (var chunk = 0; reader.Read(chunk) is { } piece; chunk++)
            yield return piece;
    }

    private async Task CloseAsync(CancellationToken cancellationToken)
    {
        if (_stopWriting is not null)
            await _stopWriting();
        if (_folder is { } folder)
            await disk.Run(folder.Dispose);
        _folder = null;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The log ended in an unfinished write: {TornTail}")]
    private static partial void LogTornTail(ILogger logger, TornTail tornTail);
}
