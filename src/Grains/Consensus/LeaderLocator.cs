using System.Collections.Concurrent;
using Microsoft.Extensions.Options;
using Orleans;
using Orleans.Runtime;
using Watch.Core;

namespace Watch.Grains.Consensus;

/// <summary>
/// Finds the leader of a bucket's group and calls it. The answer is remembered until the leader denies it, does not answer, or is
/// no longer an active member; a wrong memory costs a call, never correctness, since the leader itself decides what it may answer.
/// </summary>
/// <remarks>
/// What must be known of a lost call differs. A read is asked again, of whoever leads then, until the deadline. A write whose answer
/// is lost may be in the log: it ends as <see cref="WatchErrorCode.OutcomeUnknown"/> and is never sent a second time. Only an
/// explicit refusal, or a leader that membership has already declared gone before the sending, lets a write look for another leader.
/// </remarks>
internal sealed class LeaderLocator(
    IReplicaServiceClient replicas,
    IClusterMembershipService membership,
    ILocalSiloDetails local,
    IOptions<WatchSiloOptions> options,
    TimeProvider time)
{
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(20);
    private readonly ConcurrentDictionary<BucketId, SiloAddress> _leaders = new();

    /// <summary>Asks the leader for something that may be asked twice.</summary>
    public Task<TReply> ReadAsync<TReply>(BucketId bucket, Func<IReplicaService, Task<TReply>> call, CancellationToken cancellationToken = default)
        where TReply : LeaderReply
        => CallAsync(bucket, call, isWrite: false, cancellationToken);

    /// <summary>Has the leader do something that must not be done twice.</summary>
    public Task<TReply> WriteAsync<TReply>(BucketId bucket, Func<IReplicaService, Task<TReply>> call, CancellationToken cancellationToken = default)
        where TReply : LeaderReply
        => CallAsync(bucket, call, isWrite: true, cancellationToken);

    private async Task<TReply> CallAsync<TReply>(BucketId bucket, Func<IReplicaService, Task<TReply>> call, bool isWrite, CancellationToken cancellationToken)
        where TReply : LeaderReply
    {
        var started = time.GetTimestamp();
        while (true)
        {
            if (await FindAsync(bucket) is { } leader)
            {
                try
                {
                    var reply = await call(replicas.At(leader));
                    if (reply.Refusal is not { } refusal)
                        return reply;
                    if (refusal.Kind != RefusalKind.NotLeader)
                        throw Refused(refusal);
                    Forget(bucket, leader);
                }
                catch (Exception error) when (IsLost(error))
                {
                    Forget(bucket, leader);
                    if (isWrite)
                        throw new WatchException(WatchErrorCode.OutcomeUnknown, $"The leader was lost while the write was under way; it may have taken effect or not: {error.Message}");
                }
            }

            if (time.GetElapsedTime(started) >= options.Value.LeaderTimeout)
                throw new WatchException(WatchErrorCode.NoQuorum, $"No leader of bucket {bucket} answered within {options.Value.LeaderTimeout}.");
            await Task.Delay(s_pause, time, cancellationToken);
        }
    }

    /// <summary>The leader, as far as anybody says so now; null where nobody does.</summary>
    private async ValueTask<SiloAddress?> FindAsync(BucketId bucket)
    {
        if (_leaders.TryGetValue(bucket, out var known) && membership.CurrentSnapshot.GetSiloStatus(known) == SiloStatus.Active)
            return known;

        // The own silo first and alone: with one voter, or when this silo leads, nobody else is disturbed.
        if (await LeadsAsync(local.SiloAddress, bucket))
            return Remember(bucket, local.SiloAddress);

        var others = membership.CurrentSnapshot.Members.Values
            .Where(each => each.Status == SiloStatus.Active && !each.SiloAddress.Equals(local.SiloAddress))
            .Select(each => each.SiloAddress)
            .Order()
            .ToList();
        var asked = others.Select(each => LeadsAsync(each, bucket)).ToList();
        var answers = await Task.WhenAll(asked);
        var at = Array.IndexOf(answers, true);
        return at < 0 ? null : Remember(bucket, others[at]);
    }

    private async Task<bool> LeadsAsync(SiloAddress silo, BucketId bucket)
    {
        try
        {
            return (await replicas.At(silo).Describe(bucket)).Leads;
        }
        catch (Exception error) when (IsLost(error))
        {
            return false;
        }
    }

    private SiloAddress Remember(BucketId bucket, SiloAddress leader)
    {
        _leaders[bucket] = leader;
        return leader;
    }

    private void Forget(BucketId bucket, SiloAddress leader) =>
        _leaders.TryRemove(new KeyValuePair<BucketId, SiloAddress>(bucket, leader));

    private static bool IsLost(Exception error) => error is TimeoutException or OrleansException;

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
