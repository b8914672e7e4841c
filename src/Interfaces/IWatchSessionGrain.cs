using System.Collections.Immutable;
using Orleans;
using Watch.Core;

namespace Watch.Interfaces;

/// <summary>
/// A watching client's place in the cluster: one for all its watches, which live as long as it renews the lease. The grain's key is a
/// random id that the client draws; the grain is placed on the silo that its first call reaches.
/// </summary>
/// <remarks>
/// The session delivers to the client's one observer, one batch at a time; the batches are numbered, and each is repeated unchanged until
/// it is acknowledged or the lease is over. Every call names the session's epoch, which the client draws when it opens it: another
/// activation, which knows nothing of it, answers <see cref="SessionState.IsKnown"/> = false, or throws
/// <see cref="WatchErrorCode.Unavailable"/>, and the client opens another session.
/// </remarks>
[Alias("watch.IWatchSessionGrain")]
public interface IWatchSessionGrain : IGrainWithStringKey
{
    /// <summary>Begins the session or, with the same epoch, finds it. Its lease runs from here.</summary>
    /// <exception cref="WatchException">Invalid option, shutting down.</exception>
    [Alias("Open")]
    Task<SessionOpened> Open(SessionHello hello, IWatchSessionObserver observer, CancellationToken cancellationToken);

    /// <summary>
    /// Registers watches: 1 to <see cref="RegistrationsMax"/> at once, each answered for itself. One whose number the session knows is
    /// answered as before. What a watch has to deliver may arrive before the answer does.
    /// </summary>
    /// <exception cref="WatchException">Invalid option, unavailable (unknown epoch).</exception>
    [Alias("Register")]
    Task<ImmutableArray<RegistrationReply>> Register(long epoch, ImmutableArray<WatchRequest> requests, CancellationToken cancellationToken);

    /// <summary>Changes what a watch follows. A version at or below the last one changes nothing and is answered alike.</summary>
    /// <exception cref="WatchException">Invalid target, unavailable (unknown epoch or watch).</exception>
    [Alias("Retarget")]
    Task<RetargetReply> Retarget(long epoch, long watch, WatchTarget target, long version);

    /// <summary>Changes what happens when a watch's reader is slow.</summary>
    /// <exception cref="WatchException">Invalid option, unavailable (unknown epoch or watch).</exception>
    [Alias("SetPolicy")]
    Task SetPolicy(long epoch, long watch, SlowPolicy policy, int? queueEventsMax, long? queueBytesMax);

    /// <summary>Asks how far watches are; each says so in a step behind everything up to there.</summary>
    /// <exception cref="WatchException">Unavailable (unknown epoch).</exception>
    [Alias("AskProgress")]
    Task AskProgress(long epoch, ImmutableArray<long> watches);

    /// <summary>Ends watches; one that is unknown has ended already. Nothing more comes of them.</summary>
    [Alias("End")]
    Task End(long epoch, ImmutableArray<long> watches);

    /// <summary>Renews the lease and takes credits; answers with the watches that the session has.</summary>
    [Alias("Renew")]
    Task<SessionState> Renew(SessionRenewal renewal);

    /// <summary>Ends the session and all its watches.</summary>
    [Alias("Close")]
    Task Close(long epoch);

    /// <summary>A sign of life of the silo that the session is on; renews nothing.</summary>
    /// <param name="epoch">The session's; 0 where it has none yet. Another activation, which knows nothing of it, lives, but the session does not.</param>
    /// <exception cref="WatchException">Unavailable (unknown epoch).</exception>
    [Alias("Feel"), ResponseTimeout("00:00:01")]
    Task Feel(long epoch);

    /// <summary>How long a session lives without a renewal.</summary>
    public const int LeaseSeconds = 30;

    /// <summary>How many watches one call registers at most.</summary>
    public const int RegistrationsMax = 1_024;
}

/// <summary>The client's end of a session.</summary>
[Alias("watch.IWatchSessionObserver")]
public interface IWatchSessionObserver : IGrainObserver
{
    /// <summary>
    /// Takes a batch into the client's buffers. A number that was taken before is answered as it was and not looked at again.
    /// </summary>
    [Alias("OnBatch"), ResponseTimeout("00:00:05")]
    Task<SessionAck> OnBatch(SessionBatch batch);
}
