using Watch.Simulation.Tests.Watches;

namespace Watch.Cluster.Tests.Rolling;

/// <summary>Somebody who follows something, and whose notes are judged afterwards.</summary>
internal interface IJudged
{
    /// <summary>Why it ended; null while it has not.</summary>
    WatchEndReason? End { get; }

    /// <summary>Whether it ended in a way that it had asked for.</summary>
    bool WasSlow { get; }

    /// <summary>Waits until it was told of the last change that concerns it, or has ended.</summary>
    Task ReachesEndAsync(List<CommittedChange> history);

    /// <summary>How many events it was told.</summary>
    int CountEvents();

    /// <summary>What is wrong with what it got; null where nothing is.</summary>
    string? Judge(IReadOnlyList<CommittedChange> history);
}
