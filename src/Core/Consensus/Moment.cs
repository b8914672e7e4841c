namespace Watch.Core.Consensus;

/// <summary>What the clocks of a node's shell showed when it handed an input to the state machine, which has no clock of its own.</summary>
/// <param name="Monotonic">Time since some fixed point by a clock that never jumps.</param>
/// <param name="WallMs">The wall clock, in milliseconds since 1970-01-01 UTC: for information only.</param>
public readonly record struct Moment(TimeSpan Monotonic, long WallMs);
