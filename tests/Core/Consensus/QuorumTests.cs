using Watch.Core.Consensus;

namespace Watch.Core.Tests.Consensus;

public sealed class QuorumTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    [InlineData(3, 2)]
    [InlineData(4, 3)]
    [InlineData(5, 3)]
    public void A_majority_is_more_than_half(int voters, int majority) => Assert.Equal(majority, Quorum.Of(voters));

    [Fact]
    public void What_is_reached_is_had_by_a_majority_and_one_more_is_not()
    {
        const int Seed = 7;
        var random = new Random(Seed);
        for (var run = 0; run < 5000; run++)
        {
            var match = Enumerable.Range(0, random.Next(1, 8)).Select(_ => new LogIndex(random.Next(12))).ToArray();
            var reached = Quorum.Reached((LogIndex[])match.Clone());
            var text = $"seed {Seed}, run {run}: [{string.Join(", ", match)}] reached {reached}";
            Assert.True(match.Count(index => index >= reached) * 2 > match.Length, text);
            Assert.False(match.Count(index => index > reached) * 2 > match.Length, text);
        }
    }
}
