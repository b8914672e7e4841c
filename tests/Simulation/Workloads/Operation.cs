using Watch.Core;

namespace Watch.Simulation.Tests.Workloads;

internal enum OperationKind
{
    Get,
    Put,

    /// <summary>A put that asks for a present value, or for none.</summary>
    Swap,
    Delete,
}

/// <summary>What is known of an operation's effect.</summary>
internal enum Effect
{
    /// <summary>It may have happened, may happen yet, or never.</summary>
    Unknown,

    /// <summary>It happened, or was read.</summary>
    Done,

    /// <summary>Its condition did not hold.</summary>
    ConditionFailed,

    /// <summary>The product said that it certainly did not happen.</summary>
    NotDone,
}

/// <summary>One operation of one client, as the client saw it.</summary>
internal sealed record Operation
{
    public required string Client { get; init; }

    public required OperationKind Kind { get; init; }

    public required string Key { get; init; }

    /// <summary>What is written; unique in the run.</summary>
    public string? Value { get; init; }

    /// <summary>Of a swap: the value asked for; null for none.</summary>
    public string? Expected { get; init; }

    /// <summary>Of a read: how fresh it was to be.</summary>
    public ReadPolicy Policy { get; init; }

    /// <summary>When it was begun, by the history's own count.</summary>
    public required long Invoked { get; init; }

    /// <summary>When it ended; never, as long as its effect is unknown.</summary>
    public long Returned { get; set; } = long.MaxValue;

    public Effect Effect { get; set; }

    /// <summary>What was read, or what stood there before the write.</summary>
    public string? Seen { get; set; }

    /// <summary>Whether the answer to a write said that nobody knows any more what stood there before.</summary>
    public bool IsBlind { get; set; }

    /// <summary>The revision that the answer named.</summary>
    public Revision Revision { get; set; }

    /// <summary>What the client was told where it failed.</summary>
    public string? Error { get; set; }

    public bool IsWrite => Kind != OperationKind.Get;

    /// <summary>Whether it has to show everything that was acknowledged before it began.</summary>
    public bool IsFresh => IsWrite || Policy.Kind is ReadKind.Linearizable or ReadKind.Lease;

    public override string ToString() =>
        $"{Client} {(IsWrite ? "" : $"{Policy.Kind} ")}{Kind} {Key}{(Value is null ? "" : $" = {Value}")}{(Kind == OperationKind.Swap ? $" if {Expected ?? "absent"}" : "")} [{Invoked}, {(Returned == long.MaxValue ? "…" : Returned)}] {Effect}"
        + $"{(Effect is Effect.Done or Effect.ConditionFailed ? $" saw {Seen ?? "nothing"} at {Revision}" : "")}{(Error is null ? "" : $" ({Error})")}";
}
