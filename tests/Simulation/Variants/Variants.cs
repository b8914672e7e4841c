using Watch.Simulation.Tests.Checkers;

namespace Watch.Simulation.Tests.Variants;

/// <summary>The deliberate defects by name.</summary>
internal static class Variants
{
    /// <summary>The product's seams with one rule broken, or with none.</summary>
    public static Recorder SeamsOf(string? variant) => variant is null ? new Recorder() : throw new ArgumentException($"There is no variant '{variant}'.", nameof(variant));
}
