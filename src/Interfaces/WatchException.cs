using Orleans;
using Watch.Core;

namespace Watch;

/// <summary>What went wrong, as a stable code: names and numbers never change.</summary>
public enum WatchErrorCode
{
    /// <summary>The key is empty or too long.</summary>
    InvalidKey = 1,

    /// <summary>The value is larger than the limit.</summary>
    ValueTooLarge = 2,

    /// <summary>The prefix does not begin and end with <c>/</c>.</summary>
    InvalidPrefix = 3,

    /// <summary>An option of the request is out of its range.</summary>
    InvalidOption = 4,

    /// <summary>The bucket does not exist.</summary>
    UnknownBucket = 5,

    /// <summary>What is to be watched is malformed or too much.</summary>
    InvalidTarget = 6,

    /// <summary>The cursor is no cursor, or one of another watch: of another bucket, target or filter.</summary>
    InvalidCursor = 7,

    /// <summary>The revision asked for lies before the history that is kept.</summary>
    Compacted = 10,

    /// <summary>The revision asked for has not happened yet.</summary>
    FutureRevision = 11,

    /// <summary>This silo's limit of watchers is reached.</summary>
    WatcherLimit = 20,

    /// <summary>Watching is switched off on this silo.</summary>
    WatchDisabled = 21,

    /// <summary>The cursor belongs to another incarnation of the cluster: its revisions mean nothing here.</summary>
    IncarnationChanged = 12,

    /// <summary>No leader could be reached: the request was certainly not carried out.</summary>
    NoQuorum = 30,

    /// <summary>
    /// The connection or the leader was lost while a write was under way, and sending it again brought no answer in time, or the cluster
    /// does not remember it any more: it took effect once or not at all, or may still take effect.
    /// </summary>
    OutcomeUnknown = 31,

    /// <summary>A queue is full: try again later.</summary>
    Busy = 32,

    /// <summary>The server is stopping.</summary>
    ShuttingDown = 33,

    /// <summary>No server could be reached.</summary>
    Unavailable = 34,

    /// <summary>The caller may not do this.</summary>
    Unauthorized = 35,

    /// <summary>The client was disposed of.</summary>
    ClientDisposed = 36,

    /// <summary>No node, or for one that is to be added no silo, has the name.</summary>
    UnknownNode = 40,

    /// <summary>The data folder is that of a node that was removed, or belongs to another cluster.</summary>
    FolderRefused = 41,

    /// <summary>Two or more silos answer to the name.</summary>
    NameTaken = 42,

    /// <summary>The last node that votes cannot be removed.</summary>
    LastVoter = 43,

    /// <summary>Without the node no majority of the voters would answer.</summary>
    WouldLoseQuorum = 44,

    /// <summary>Another node is just being added or removed: try again when that is done.</summary>
    ChangeUnderWay = 45,

    /// <summary>The cluster has as many nodes as it can have.</summary>
    TooManyNodes = 46,

    /// <summary>A part of the server stopped because a rule that must always hold did not.</summary>
    Internal = 99,
}

/// <summary>The one exception type of Watch: what went wrong by code, and in words that name the thing and what is allowed.</summary>
[GenerateSerializer, Alias("watch.Exception")]
public sealed class WatchException : Exception
{
    /// <summary>Makes an exception.</summary>
    /// <param name="code">What went wrong.</param>
    /// <param name="message">In words, naming the thing, its value and what is allowed.</param>
    /// <param name="inner">What caused it, if anything did.</param>
    public WatchException(WatchErrorCode code, string message, Exception? inner = null)
        : base(message, inner)
        => Code = code;

    /// <summary>What went wrong.</summary>
    [Id(0)]
    public WatchErrorCode Code { get; private set; }

    /// <summary>Of <see cref="WatchErrorCode.Compacted"/>: the first revision that history still has.</summary>
    [Id(1)]
    public Revision FirstAvailable { get; init; }

    /// <summary>The revision asked for lies before the history that is kept.</summary>
    public static WatchException Compacted(Revision asked, Revision firstAvailable) =>
        new(WatchErrorCode.Compacted, $"Revision {asked} is compacted; the first one that history still has is {firstAvailable}.")
        {
            FirstAvailable = firstAvailable,
        };
}
