using System.Collections.Immutable;
using Watch.Core;
using Watch.Core.Consensus;
using Watch.Core.Consensus.Messages;

namespace Watch.Grains.Consensus;

/// <summary>What others on this silo are told of the replica: roles, what may be read beside its turns, and by which lease.</summary>
internal sealed partial class Replica
{
    // Where a lease was asked for, so that a thousand groups that nobody reads cost nothing.
    private readonly List<BucketReplica> _leased = [];

    private void TellRoles()
    {
        List<(BucketId, GroupId, Term)>? led = null;
        while (Node.TryTakeRoleChange(out var change))
        {
            LogRole(_logger, change.Group.Value, change.Role, change.Term.Value);
            if (change.Group == GroupId.System)
                SystemChanged?.Invoke();
            if (_buckets.TryGetValue(change.Group, out var bucket))
            {
                bucket.LeadershipEnded(change.Role == Role.Leader ? change.Term : change.Term.Next);
                bucket.Reading.Leads = change.Role == Role.Leader;
            }

            if (change.Role == Role.Leader && BucketOf(change.Group) is { } id)
                (led ??= []).Add((id, change.Group, change.Term));
        }

        if (led is not null)
            AskForScopes(led);
    }

    /// <summary>A new leader knows nobody who watches: it asks, while its first entry commits. Who does not answer tells it by himself later.</summary>
    private void AskForScopes(List<(BucketId Bucket, GroupId Group, Term Term)> led) =>
        _inquiry.Begin([.. led.Select(each => each.Bucket)], (silo, told) =>
        {
            var (_, group, term) = led.FindLast(each => each.Bucket == told.Bucket);
            if (!Node.Groups.TryGetValue(group, out var replica) || replica.Role != Role.Leader || replica.Term != term)
                return false;
            var bucket = Of(group);
            foreach (var scope in told.Scopes)
                bucket.Watched.Register(scope, silo, bucket.State.HeadOf(scope));
            return true;
        });

    /// <summary>Lets grains read what was applied of a bucket, as long as this node belongs to its group (O2 of <see cref="BucketReading"/>).</summary>
    private void Open(BucketReplica bucket)
    {
        bucket.Id ??= BucketOf(bucket.Group);
        if (bucket.Id is not { } id || !Serves)
            return;
        var members = Node.Groups[bucket.Group].Members;
        bucket.Reading.Leads = Node.Groups[bucket.Group].Role == Role.Leader;
        bucket.Reading.IsOpen = members.IsVoter(Node.Self.Id) || members.IsLearner(Node.Self.Id);
        if (_own.Find(id) is null)
            _own.Add(id, bucket.Reading);
    }

    private BucketId? BucketOf(GroupId group)
    {
        foreach (var (id, info) in Node.Catalogue.Buckets)
        {
            if (info.Group == group)
                return id;
        }

        return null;
    }

    /// <summary>From now on grains on this silo read by this bucket's lease.</summary>
    private void ShareLease(BucketReplica bucket)
    {
        if (_leased.Contains(bucket))
            return;
        _leased.Add(bucket);
        TellLeases();
    }

    /// <summary>Tells how long leases last; everything that was handed out is applied (O3 of <see cref="BucketReading"/>).</summary>
    private void TellLeases()
    {
        foreach (var bucket in _leased)
            bucket.Reading.LeaseUntil = Node.LeaseUntil(bucket.Group, Now);
    }

    /// <summary>Sends a parcel, after leases that this node has given up are taken back: the parcel may be what lets another one lead (O3).</summary>
    private void Ship(Parcel parcel)
    {
        foreach (var bucket in _leased)
        {
            var until = Node.LeaseUntil(bucket.Group, Now);
            if (until < bucket.Reading.LeaseUntil && _rules.TakesLeasesBack)
                bucket.Reading.LeaseUntil = until;
        }

        _postman.Send(parcel);
    }
}
