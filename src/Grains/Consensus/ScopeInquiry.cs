using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using Orleans.Runtime;
using Watch.Core;
using Watch.Grains.Watching;

namespace Watch.Grains.Consensus;

/// <summary>
/// A new leader's question to every live silo: what do you watch? With the answers, the first commits after a change of leaders name the
/// silos that watch them. Nobody waits for it: a silo that does not answer registers with its own next progress question. A scope that
/// its silo has given up since is withdrawn the same way. Used in the turns of <see cref="ReplicaService"/> only.
/// </summary>
internal sealed partial class ScopeInquiry(IWatchDispatcherClient dispatchers, IClusterMembershipService membership, ILogger<ScopeInquiry> logger)
{
    /// <summary>How many scopes leaders on this node were told in answer.</summary>
    public long ScopesLearned { get; private set; }

    /// <summary>Asks about some buckets.</summary>
    /// <param name="buckets">The buckets.</param>
    /// <param name="learn">Is given a silo and what it watches of a bucket; says whether that was still wanted.</param>
    public void Begin(ImmutableArray<BucketId> buckets, Func<string, BucketScopes, bool> learn)
    {
        var silos = membership.CurrentSnapshot.Members.Values
            .Where(each => each.Status == SiloStatus.Active)
            .Select(each => each.SiloAddress)
            .Order();
        foreach (var silo in silos.ToList())
            _ = AskAsync(silo, buckets, learn);
    }

    private async Task AskAsync(SiloAddress silo, ImmutableArray<BucketId> buckets, Func<string, BucketScopes, bool> learn)
    {
        try
        {
            var name = silo.ToParsableString();
            var answer = await dispatchers.At(silo).ScopesOf(buckets);
            // One that went since is told nothing any more; those that go later are forgotten then.
            if (membership.CurrentSnapshot.GetSiloStatus(silo) == SiloStatus.Dead)
                return;
            foreach (var told in answer)
            {
                if (learn(name, told))
                    ScopesLearned += told.Scopes.Length;
            }
        }
        catch (Exception error)
        {
            LogSilent(logger, error, silo);
        }
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "Silo {Silo} did not say what it watches; it will with its next question about progress")]
    private static partial void LogSilent(ILogger logger, Exception error, SiloAddress silo);
}
