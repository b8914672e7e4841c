namespace Watch.Simulation.Tests;

/// <summary>What kind of wrong a violation is.</summary>
internal enum ViolationKind
{
    /// <summary>Somebody saw something wrong, or a node found a rule broken.</summary>
    Wrong,

    /// <summary>Something did not go on though nothing was in its way any more.</summary>
    Standstill,

    /// <summary>The run itself did not come to an end.</summary>
    Run,
}

/// <summary>A checker found that the product broke a promise.</summary>
internal sealed class ViolationException(string message, ViolationKind kind = ViolationKind.Wrong) : Exception(message)
{
    public ViolationKind Kind => kind;
}
