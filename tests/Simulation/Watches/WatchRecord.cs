using Watch.Core;

namespace Watch.Simulation.Tests.Watches;

/// <summary>What one watch delivered, from its start to its end, across all registrations that it took.</summary>
internal sealed class WatchRecord(string client, WatchWish wish)
{
    private readonly List<Pattern> _targets = [wish.Target];

    public string Client { get; } = client;

    public WatchWish Wish { get; } = wish;

    public Revision Start { get; set; }

    public List<WatchBatch> Batches { get; } = [];

    /// <summary>Why it ended; null while it had not.</summary>
    public WatchEndReason? End { get; set; }

    /// <summary>Up to where it was delivered.</summary>
    public Revision Cursor => Batches.Count == 0 ? Start : Batches[^1].Revision;

    /// <summary>What it follows now.</summary>
    public Pattern Target => _targets[^1];

    /// <summary>Whether its targets were ever changed.</summary>
    public bool IsRetargeted => _targets.Count > 1;

    /// <summary>Its targets were changed; the first change has version 1.</summary>
    public void Retargeted(Pattern target) => _targets.Add(target);

    /// <summary>What it followed after so many changes.</summary>
    public Pattern TargetOf(long version) => _targets[(int)version];

    public override string ToString() => $"watch of {Wish} by {Client} from {Start}";
}
