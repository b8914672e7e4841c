using Watch.Core;

namespace Watch.Simulation.Tests.Watches;

/// <summary>What one watch delivered, from its start to its end, across all registrations that it took.</summary>
internal sealed class WatchRecord(string client, WatchWish wish)
{
    // One for each time that it was begun: the number of batches before, and its targets.
    private readonly List<(int FirstBatch, List<Pattern> Targets)> _lives = [];

    private readonly Dictionary<(int Life, int Version), Revision> _answers = [];

    public string Client { get; } = client;

    public WatchWish Wish { get; } = wish;

    public Revision Start { get; set; }

    public List<WatchBatch> Batches { get; } = [];

    /// <summary>Why it ended; null while it had not.</summary>
    public WatchEndReason? End { get; set; }

    /// <summary>Up to where it was delivered.</summary>
    public Revision Cursor => Batches.Count == 0 ? Start : Batches[^1].Revision;

    /// <summary>What it follows now.</summary>
    public Pattern Target => _lives.Count == 0 ? Wish.Target : _lives[^1].Targets[^1];

    /// <summary>Whether its targets were ever changed.</summary>
    public bool IsRetargeted => _lives.Any(life => life.Targets.Count > 1);

    /// <summary>It was begun, for the first time or again, with what it follows now.</summary>
    public void Begin() => _lives.Add((Batches.Count, [Target]));

    /// <summary>Its targets were changed; the first change since it was begun has version 1.</summary>
    /// <returns>What to note the answer with.</returns>
    public Action<Revision> Retargeted(Pattern target)
    {
        var (life, targets) = (_lives.Count, _lives[^1].Targets);
        targets.Add(target);
        var version = targets.Count - 1;
        return from => _answers[(life, version)] = from;
    }

    /// <summary>The revision that was answered to a change of targets; null where it was not answered.</summary>
    public Revision? AnswerTo(int batch, long version) =>
        _answers.TryGetValue((_lives.FindLastIndex(life => life.FirstBatch <= batch) + 1, (int)version), out var from) ? from : null;

    /// <summary>What it followed when a batch came, after so many changes; null where the batch is not the first one since it was begun.</summary>
    public Pattern? BegunWith(int batch) => _lives.LastOrDefault(life => life.FirstBatch == batch).Targets?[0];

    /// <summary>What it followed after so many changes since it was begun, when a batch came.</summary>
    public Pattern TargetOf(int batch, long version) => _lives.Last(life => life.FirstBatch <= batch).Targets[(int)version];

    public override string ToString() => $"watch of {Wish} by {Client} from {Start}";
}
