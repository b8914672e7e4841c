using System.Diagnostics.CodeAnalysis;

namespace Watch.Core;

/// <summary>A rule that must hold in every build does not. Whoever owns the broken part stops it, loudly, and keeps nothing of it.</summary>
public sealed class InvariantViolationException(string rule) : Exception($"Invariant broken: {rule}");

/// <summary>Rules that are checked in release builds too.</summary>
public static class Invariant
{
    /// <summary>Throws unless the rule holds.</summary>
    /// <param name="holds">Whether it holds.</param>
    /// <param name="rule">Its number in the file's essay and what it says.</param>
    public static void That([DoesNotReturnIf(false)] bool holds, string rule)
    {
        if (!holds)
            throw new InvariantViolationException(rule);
    }
}
