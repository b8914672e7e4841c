using System.Collections.Concurrent;
using Microsoft.Extensions.Options;
using Orleans;
using Orleans.Runtime;
using Watch.Core;

namespace Watch.Grains.Consensus;

/// <summary>
/// Finds the leader of a bucket's group and calls it. The answer is remembered until the leader denies it, does not answer, or is
/// no longer an active member; a wrong memory costs a call, never correctness, since the leader itself decides what it may answer.
/// Who denies it and knows better says so, and is followed at once.
/// </summary>
/// <remarks>
/// What must be known of a lost call differs. A read is asked again, of whoever leads then, until the deadline; and so is a write with
/// an id, which takes effect once however often it is sent. A write without one may be in the log when its answer is lost: it ends as
/// <see cref="WatchErrorCode.OutcomeUnknown"/> and is never sent a second time. Only an explicit refusal, or a leader that membership has
/// already declared gone before the sending, lets it look for another leader. Once a write was lost, whatever ends the search afterwards
/// says that its outcome is unknown.
/// </remarks>
internal sealed class LeaderLocator(
    IReplicaServiceClient replicas,
    OwnReplica own,
    IClusterMembershipService membership,
    ILocalSiloDetails local,
    IOptions<WatchSiloOptions> options,
    TimeProvider time)
{
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(20);

    /// <summary>How long the own replica is waited for before the leader is asked.</summary>
    private static readonly TimeSpan s_ownPatience = TimeSpan.FromMilliseconds(100);

    private readonly ConcurrentDictionary<BucketId, SiloAddress> _leaders = new();
    private readonly LeaderSearch _search = new(replicas, membership, local, time);
    private readonly SiloPulse _pulse = new(replicas, time);

    /// <summary>Asks the leader for something that may be asked twice.</summary>
    public Task<TReply> ReadAsync<TReply>(BucketId bucket, Func<IReplicaService, Task<TReply>> call, CancellationToken cancellationToken = default)
        where TReply : LeaderReply
        => CallAsync(bucket, call, Lost.AskAgain, cancellationToken);

    /// <summary>The same for somebody who has waited since a time: the search for a leader ends so much sooner.</summary>
    public Task<TReply> ReadAsync<TReply>(BucketId bucket, long since, Func<IReplicaService, Task<TReply>> call)
        where TReply : LeaderReply
        => CallAsync(bucket, call, Lost.AskAgain, since, CancellationToken.None);

    /// <summary>
    /// Asks for what a policy allows any replica to answer: the own silo's first, without looking for anybody. Where that cannot, the leader
    /// answers, or for an eventual read whoever can.
    /// </summary>
    public async Task<TReply> ReadAsync<TReply>(BucketId bucket, ReadPolicy policy, Func<IReplicaService, Task<TReply>> call, CancellationToken cancellationToken)
        where TReply : LeaderReply
    {
        if (policy.Kind is ReadKind.Linearizable or ReadKind.Lease)
            return await CallAsync(bucket, call, Lost.AskAgain, cancellationToken);
        if (policy.Kind == ReadKind.AtLeast)
            return await AtLeastAsync(bucket, policy.Revision, call, cancellationToken);
        if (await call(replicas.At(local.SiloAddress)) is { Refusal: null } here)
            return here;
        if (policy.Kind == ReadKind.Eventual && await NearestAsync(call) is { } near)
            return near;
        return await CallAsync(bucket, call, Lost.AskAgain, cancellationToken);
    }

    /// <summary>
    /// Asks the own replica where it has come so far or soon does, else the leader, until it has, for as long as one waits for a leader. Only
    /// the leader's word is that a revision has not come: the own replica may lag, or have stopped following.
    /// </summary>
    private async Task<TReply> AtLeastAsync<TReply>(BucketId bucket, Revision revision, Func<IReplicaService, Task<TReply>> call, CancellationToken cancellationToken)
        where TReply : LeaderReply
    {
        var started = time.GetTimestamp();
        while (true)
        {
            if (own.Find(bucket) is { } reading && await reading.WaitForAsync(revision, s_ownPatience, time, cancellationToken)
                && await call(replicas.At(local.SiloAddress)) is { Refusal: null } here)
                return here;
            try
            {
                return await CallAsync(bucket, call, Lost.AskAgain, cancellationToken);
            }
            catch (WatchException error) when (error.Code == WatchErrorCode.FutureRevision && time.GetElapsedTime(started) < options.Value.LeaderTimeout)
            {
                await Task.Delay(s_pause, time, cancellationToken);
            }
        }
    }

    /// <summary>Has the leader do something that must not be done twice, unless its commands say that they may be sent again.</summary>
    public Task<TReply> WriteAsync<TReply>(BucketId bucket, Func<IReplicaService, Task<TReply>> call, bool mayRepeat = false, CancellationToken cancellationToken = default)
        where TReply : LeaderReply
        => CallAsync(bucket, call, mayRepeat ? Lost.SendAgain : Lost.GiveUp, cancellationToken);

    /// <summary>
    /// Has the leader give up history, as much of it as one call does: what was given up twice was given up once. A leader that has as many
    /// writes under way as it takes is asked again for as long as one looks for a leader.
    /// </summary>
    public async Task<Revision> CompactAsync(BucketId bucket, Revision through, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        while (true)
        {
            try
            {
                return (await WriteAsync(bucket, leader => leader.Compact(bucket, through), mayRepeat: true, cancellationToken)).Revision;
            }
            catch (WatchException error) when (error.Code == WatchErrorCode.Busy && time.GetElapsedTime(started) < options.Value.LeaderTimeout)
            {
                await Task.Delay(s_pause, time, cancellationToken);
            }
        }
    }

    private Task<TReply> CallAsync<TReply>(BucketId bucket, Func<IReplicaService, Task<TReply>> call, Lost whenLost, CancellationToken cancellationToken)
        where TReply : LeaderReply
        => CallAsync(bucket, call, whenLost, time.GetTimestamp(), cancellationToken);

    private async Task<TReply> CallAsync<TReply>(BucketId bucket, Func<IReplicaService, Task<TReply>> call, Lost whenLost, long started, CancellationToken cancellationToken)
        where TReply : LeaderReply
    {
        SiloAddress? sentBy = null;
        WatchException? unknown = null;
        Refusal? refused = null;
        while (true)
        {
            if (await FindAsync(bucket) is { } leader)
            {
                try
                {
                    var reply = await CallAsync(leader, call);
                    if (reply.Refusal is not { } refusal)
                        return reply;
                    if (!MayLeadElsewhere(refusal, leader) && unknown is null)
                        throw Refused(refusal);
                    refused = refusal;
                    Forget(bucket, leader);
                    // Two that name each other know nothing: after one redirect everybody is asked.
                    if (sentBy is null && refusal.LeaderSilo is { } better && !better.Equals(leader) && IsActive(better))
                    {
                        sentBy = leader;
                        Remember(bucket, better);
                        continue;
                    }
                }
                catch (Exception error) when (IsLost(error) || (IsUnknown(error) && whenLost == Lost.SendAgain))
                {
                    Forget(bucket, leader);
                    if (whenLost != Lost.AskAgain)
                        unknown = new WatchException(WatchErrorCode.OutcomeUnknown, $"The leader was lost while the write was under way; it may have taken effect or not: {error.Message}");
                    if (whenLost == Lost.GiveUp)
                        throw unknown!;
                }
            }

            sentBy = null;
            if (time.GetElapsedTime(started) >= options.Value.LeaderTimeout)
                throw unknown ?? NobodyLed(bucket, refused);
            await Task.Delay(s_pause, time, cancellationToken);
        }
    }

    /// <summary>Whether another node may lead, now or soon: where this one does not, or where it stops and is not the caller's own.</summary>
    private bool MayLeadElsewhere(Refusal refusal, SiloAddress by) => refusal.Kind switch
    {
        RefusalKind.NotLeader => true,
        RefusalKind.ShuttingDown or RefusalKind.Failed => !by.Equals(local.SiloAddress),
        _ => false,
    };

    private WatchException NobodyLed(BucketId bucket, Refusal? refused) =>
        new(WatchErrorCode.NoQuorum, $"No leader of bucket {bucket} answered within {options.Value.LeaderTimeout}.{(refused is null ? "" : $" The last node that was asked said: {refused.Message}")}");

    /// <summary>Asks the other silos one after the other until one answers; null where none does.</summary>
    private async Task<TReply?> NearestAsync<TReply>(Func<IReplicaService, Task<TReply>> call)
        where TReply : LeaderReply
    {
        var others = membership.CurrentSnapshot.Members.Values
            .Where(each => each.Status == SiloStatus.Active && !each.SiloAddress.Equals(local.SiloAddress))
            .Select(each => each.SiloAddress)
            .Order();
        foreach (var silo in others.ToList())
        {
            try
            {
                if (await _search.IsOwnAsync(silo) && await CallAsync(silo, call) is { Refusal: null } reply)
                    return reply;
            }
            catch (Exception error) when (IsLost(error))
            {
                // The next silo is as good as this one.
                continue;
            }
        }

        return null;
    }

    /// <summary>The own silo lives as long as this code runs; any other is felt for.</summary>
    private Task<TReply> CallAsync<TReply>(SiloAddress leader, Func<IReplicaService, Task<TReply>> call)
        where TReply : LeaderReply =>
        leader.Equals(local.SiloAddress) ? call(replicas.At(leader)) : _pulse.WhileAliveAsync(leader, call(replicas.At(leader)));

    /// <summary>The leader, as far as anybody says so now; null where nobody does.</summary>
    private async ValueTask<SiloAddress?> FindAsync(BucketId bucket)
    {
        if (_leaders.TryGetValue(bucket, out var known) && IsActive(known))
            return known;
        return await _search.FindAsync(bucket) is { } found ? Remember(bucket, found) : null;
    }

    private bool IsActive(SiloAddress silo) => membership.CurrentSnapshot.GetSiloStatus(silo) == SiloStatus.Active;

    private SiloAddress Remember(BucketId bucket, SiloAddress leader)
    {
        _leaders[bucket] = leader;
        return leader;
    }

    private void Forget(BucketId bucket, SiloAddress leader) =>
        _leaders.TryRemove(new KeyValuePair<BucketId, SiloAddress>(bucket, leader));

    private static bool IsUnknown(Exception error) => error is WatchException { Code: WatchErrorCode.OutcomeUnknown };

    private static bool IsLost(Exception error) => error is TimeoutException or OrleansException;

    /// <summary>What becomes of a call whose answer is lost.</summary>
    private enum Lost
    {
        AskAgain,
        SendAgain,
        GiveUp,
    }

    private static WatchException Refused(Refusal refusal) => refusal.Kind switch
    {
        RefusalKind.Busy => new WatchException(WatchErrorCode.Busy, refusal.Message),
        RefusalKind.ShuttingDown => new WatchException(WatchErrorCode.ShuttingDown, refusal.Message),
        RefusalKind.UnknownBucket => new WatchException(WatchErrorCode.UnknownBucket, refusal.Message),
        RefusalKind.Compacted => new WatchException(WatchErrorCode.Compacted, refusal.Message) { FirstAvailable = refusal.FirstAvailable },
        RefusalKind.TooLarge => new WatchException(WatchErrorCode.InvalidOption, refusal.Message),
        RefusalKind.FutureRevision => new WatchException(WatchErrorCode.FutureRevision, refusal.Message),
        _ => new WatchException(WatchErrorCode.Internal, refusal.Message),
    };
}
