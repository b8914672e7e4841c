using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using Orleans.Runtime;

namespace Watch.Grains.Watching;

/// <summary>The watches of all silos, for operators: every silo is asked for its own.</summary>
internal sealed partial class WatchersDesk(IWatchDispatcherClient dispatchers, IClusterMembershipService membership, ILogger<WatchersDesk> logger)
{
    /// <summary>The watches, and which silos did not answer.</summary>
    /// <exception cref="WatchException">The question is out of its limits, or names no silo.</exception>
    public async Task<WatcherList> ListAsync(WatchersQuestion question)
    {
        if (question.Max is < 1 or > WatchersQuestion.MaxLimit)
            throw new WatchException(WatchErrorCode.InvalidOption, $"{question.Max} watches of each silo were asked for; 1 to {WatchersQuestion.MaxLimit} are allowed.");
        var silos = question.Silo is { } name ? [Named(name)] : Active();
        var answers = silos.Select(silo => AskAsync(silo, question)).ToList();
        var watchers = ImmutableArray.CreateBuilder<WatcherInfo>();
        var silent = ImmutableArray.CreateBuilder<string>();
        var more = false;
        for (var at = 0; at < answers.Count; at++)
        {
            if (await answers[at] is not { } answer)
            {
                silent.Add(silos[at].Name);
                continue;
            }

            more |= answer.Length > question.Max;
            watchers.AddRange(answer.Take(question.Max));
        }

        return new WatcherList(watchers.ToImmutable(), silent.ToImmutable(), more);
    }

    /// <summary>Ends a watch; false where the silo has none of that number.</summary>
    /// <exception cref="WatchException">No silo answers to the name.</exception>
    public Task<bool> EndAsync(string silo, long id) => dispatchers.At(Named(silo).SiloAddress).EndWatch(id);

    private async Task<ImmutableArray<WatcherInfo>?> AskAsync(ClusterMember silo, WatchersQuestion question)
    {
        try
        {
            return await dispatchers.At(silo.SiloAddress).Describe(question);
        }
        catch (Exception error) when (error is TimeoutException or OrleansException)
        {
            LogSilent(logger, error, silo.Name);
            return null;
        }
    }

    private List<ClusterMember> Active() =>
        [.. membership.CurrentSnapshot.Members.Values.Where(each => each.Status == SiloStatus.Active).OrderBy(each => each.Name, StringComparer.Ordinal).ThenBy(each => each.SiloAddress)];

    private ClusterMember Named(string name) => Active().Find(each => each.Name == name || each.SiloAddress.ToParsableString() == name)
        ?? throw new WatchException(WatchErrorCode.UnknownNode, $"No silo that runs is called '{name}'.");

    [LoggerMessage(Level = LogLevel.Debug, Message = "Silo {Silo} did not say what it watches")]
    private static partial void LogSilent(ILogger logger, Exception error, string silo);
}
