namespace Watch.Core.Consensus;

/// <summary>
/// A moment of a leader's node that its messages carry and their answers repeat: "when I answered, I had heard from you at or after
/// this". Numbers never repeat while the node runs, and those of another life of it are
/// others; its time is that node's monotonic clock and means nothing elsewhere.
/// </summary>
/// <param name="Number">Grows with every round of the node, across all its groups.</param>
/// <param name="BeganAt">When the round began: not after any of its messages was sent. A lease counts from here.</param>
public readonly record struct Round(long Number, TimeSpan BeganAt);

/// <summary>A leader's word that it uses no lease of this term that rests on an answer to this round or an earlier one.</summary>
/// <param name="Term">The leader's term.</param>
/// <param name="RoundNumber">The last round that it gave up.</param>
public readonly record struct Release(Term Term, long RoundNumber);

/// <summary>The rounds of one node, in one life of it.</summary>
/// <param name="life">
/// A random number, drawn when the node starts: the rounds are numbered from somewhere below 2^56. An answer to a round of an earlier life, late
/// on its way, is then none to any of this one, however often the node has started since.
/// </param>
public sealed class Rounds(ulong life = 0)
{
    /// <summary>The round that began last.</summary>
    public Round Current { get; private set; } = new((long)(life >> 8), TimeSpan.Zero);

    /// <summary>Begins the next one.</summary>
    public Round Begin(in Moment now) => Current = new Round(Current.Number + 1, now.Monotonic);
}
