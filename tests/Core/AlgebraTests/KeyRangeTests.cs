using Xunit.Abstractions;

namespace Watch.Core.Tests.AlgebraTests;

public class KeyRangeTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData(new byte[] { 0x61 }, new byte[] { 0x62 })]
    [InlineData(new byte[] { 0x61, 0xFF }, new byte[] { 0x62 })]
    [InlineData(new byte[] { 0x61, 0xFF, 0xFF }, new byte[] { 0x62 })]
    [InlineData(new byte[] { 0xFE }, new byte[] { 0xFF })]
    [InlineData(new byte[] { 0xFF, 0x00 }, new byte[] { 0xFF, 0x01 })]
    [InlineData(new byte[] { 0xFF, 0xFF }, null)]
    [InlineData(new byte[0], null)]
    public void A_prefix_range_ends_at_the_prefix_successor(byte[] prefix, byte[]? end)
    {
        var range = KeyRange.Prefix(Key.Of(prefix));
        Assert.Equal(Key.Of(prefix), range.Start);
        Assert.Equal(end is null ? null : Key.Of(end), range.End);
    }

    [Fact]
    public void A_prefix_range_contains_exactly_the_keys_that_begin_with_the_prefix()
    {
        var random = Seeds.Start(output, out _);
        for (var round = 0; round < 50_000; round++)
        {
            var prefix = Key.Of(random.TroublesomeBytes(3));
            var key = Key.Of(random.Next(2) == 0 ? random.TroublesomeBytes(4) : [.. prefix.Span, .. random.TroublesomeBytes(2)]);
            Assert.True(KeyRange.Prefix(prefix).Contains(key) == key.StartsWith(prefix), $"prefix {prefix}, key {key}");
        }
    }

    [Fact]
    public void A_single_range_contains_its_key_alone()
    {
        var random = Seeds.Start(output, out _);
        for (var round = 0; round < 20_000; round++)
        {
            var (key, other) = (Key.Of(random.TroublesomeBytes(3)), Key.Of(random.TroublesomeBytes(3)));
            Assert.True(KeyRange.Single(key).Contains(key));
            Assert.Equal(key == other, KeyRange.Single(key).Contains(other));
        }
    }

    [Fact]
    public void A_range_is_closed_at_its_start_open_at_its_end_and_may_be_empty()
    {
        var range = new KeyRange(Key.Of("b"), Key.Of("d"));
        Assert.Equal([false, true, true, true, false], new[] { "a", "b", "c", "czz", "d" }.Select(text => range.Contains(Key.Of(text))));
        Assert.False(new KeyRange(Key.Of("d"), Key.Of("b")).Contains(Key.Of("c")));
        Assert.True(KeyRange.All.Contains(Key.Empty) && KeyRange.All.Contains(Key.Of([0xFF, 0xFF])));
    }
}
