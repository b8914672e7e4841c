using Watch.Core;

namespace Watch.Simulation.Tests.Watches;

/// <summary>What a dictionary showed at one moment.</summary>
internal sealed record DictionarySight(long Revision, IReadOnlyDictionary<string, string> Items);

/// <summary>What one dictionary showed, and what it said had changed.</summary>
internal sealed class DictionaryRecord(string client, Pattern target)
{
    public Pattern Target => target;

    public List<DictionarySight> Sights { get; } = [];

    /// <summary>What it told to have become of a key, in order.</summary>
    public List<(long Revision, string Key, string? Before, string? After)> Changes { get; } = [];

    public Revision Revision => new(Sights.Count == 0 ? 0 : Sights[^1].Revision);

    public override string ToString() => $"dictionary of {target} by {client}";
}
