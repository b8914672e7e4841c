namespace Watch.Core.Consensus;

/// <summary>
/// A moment of a leader's node that its messages carry and their answers repeat: "when I answered, I had heard from you at or after
/// this". Numbers never repeat while the node runs; its time is that node's monotonic clock and means nothing elsewhere.
/// </summary>
/// <param name="Number">Grows with every round of the node, across all its groups.</param>
/// <param name="BeganAt">When the round began: not after any of its messages was sent. A lease counts from here.</param>
public readonly record struct Round(long Number, TimeSpan BeganAt);

/// <summary>A leader's word that it uses no lease of this term that rests on an answer to this round or an earlier one.</summary>
/// <param name="Term">The leader's term.</param>
/// <param name="RoundNumber">The last round that it gave up.</param>
public readonly record struct Release(Term Term, long RoundNumber);

/// <summary>The rounds of one node.</summary>
public sealed class Rounds
{
    /// <summary>The round that began last.</summary>
    public Round Current { get; private set; }

    /// <summary>Begins the next one.</summary>
    public Round Begin(in Moment now) => Current = new Round(Current.Number + 1, now.Monotonic);
}
