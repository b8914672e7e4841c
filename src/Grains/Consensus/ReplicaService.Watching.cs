using System.Collections.Immutable;
using Orleans.Runtime;
using Watch.Core;
using Watch.Core.Watching;

namespace Watch.Grains.Consensus;

// What silos that watch ask the leader: to be named in commits, and whether they missed anything.
internal sealed partial class ReplicaService
{
    /// <summary>How many scopes one answer about progress names; more come with the next.</summary>
    private const int HeadsMax = 16_384;

    /// <summary>How many bytes of scopes' texts one answer about progress has.</summary>
    private const long HeadsTextMax = 8 << 20;

    // Of each bucket that is led here, when its silos were last compared with membership.
    private readonly Dictionary<BucketId, MembershipVersion> _swept = [];

    // Silos that watched and that membership listed: one that it does not list any more has gone.
    private readonly HashSet<string> _listed = new(StringComparer.Ordinal);

    public Task<HeadsReply> Register(BucketId bucket, string silo, ImmutableArray<Scope> scopes) => Answer(bucket, leading =>
    {
        ForgetGoneSilos(bucket, leading);
        // One that is new may be one that has just gone: its call was under way.
        if (leading.Watched.IsKnown(silo) || !IsGone(silo))
            foreach (var scope in scopes)
                leading.Watched.Register(scope, silo, leading.State.HeadOf(scope));
        return new HeadsReply
        {
            Revision = leading.State.Revision,
            Compacted = leading.State.Compacted,
            Heads = [.. scopes.Select(leading.State.HeadOf)],
            Incarnation = _replica.Incarnation,
        };
    });

    public Task<ProgressReply> Progress(ProgressQuestion question) => Answer(question.Bucket, leading =>
    {
        ForgetGoneSilos(question.Bucket, leading);
        var term = _replica.Node.Groups[leading.Group].Term.Value;
        var answer = question.WantsAll
            ? leading.Watched.AnswerAll(question.Silo, HeadsMax, HeadsTextMax)
            : leading.Watched.Answer(question.Silo, _watching.Acknowledges(question.AckTerm, term) ? question.AckNumber : 0, HeadsMax, HeadsTextMax);
        return new ProgressReply
        {
            Revision = leading.State.Revision,
            Compacted = leading.State.Compacted,
            Heads = [.. answer.Heads.Select(each => new HeadOfScope(each.Scope, each.Head))],
            More = answer.More,
            IsAll = answer.IsAll,
            Term = term,
            Number = answer.Number,
            Agrees = leading.Watched.Of(question.Silo) == (question.Scopes, question.ScopesHash),
            ConfirmedWallMs = _time.GetUtcNow().ToUnixTimeMilliseconds(),
        };
    });

    public Task<LeaderReply> Unregister(BucketId bucket, string silo, ImmutableArray<Scope> scopes) => Note(bucket, leading =>
    {
        foreach (var scope in scopes)
            leading.Watched.Unregister(scope, silo);
    });

    public Task<LeaderReply> Forget(BucketId bucket, string silo) => Note(bucket, leading => leading.Watched.ForgetSilo(silo));

    /// <summary>
    /// A silo that membership has declared gone, or does not list any more, never comes back under its address: nothing is published for it
    /// any more. Looked at when membership has changed since, since every question comes by here, and every write.
    /// </summary>
    private void ForgetGoneSilos(BucketId bucket, BucketReplica leading)
    {
        var version = _membership.CurrentSnapshot.Version;
        if (_swept.TryGetValue(bucket, out var swept) && swept == version)
            return;
        _swept[bucket] = version;
        foreach (var silo in leading.Watched.KnownSilos.ToList())
        {
            if (IsGone(silo))
                leading.Watched.ForgetSilo(silo);
        }
    }

    // One that was never listed may be one that has just come: this silo may not have heard of it yet.
    private bool IsGone(string silo)
    {
        var status = _membership.CurrentSnapshot.GetSiloStatus(SiloAddress.FromParsableString(silo));
        if (status is SiloStatus.None)
            return _listed.Contains(silo);
        _listed.Add(silo);
        return status is SiloStatus.Dead;
    }
}
