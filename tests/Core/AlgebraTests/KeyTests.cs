using Xunit.Abstractions;

namespace Watch.Core.Tests.AlgebraTests;

public class KeyTests(ITestOutputHelper output)
{
    [Fact]
    public void Keys_are_ordered_as_unsigned_bytes_and_a_prefix_comes_first()
    {
        byte[][] ordered = [[], [0x00], [0x00, 0x00], [0x2F], [0x61], [0x61, 0x00], [0x61, 0xFF], [0x80], [0xFF], [0xFF, 0x00], [0xFF, 0xFF]];
        for (var a = 0; a < ordered.Length; a++)
        {
            for (var b = 0; b < ordered.Length; b++)
            {
                var (left, right) = (Key.Of(ordered[a]), Key.Of(ordered[b]));
                Assert.Equal(Math.Sign(a.CompareTo(b)), Math.Sign(left.CompareTo(right)));
                Assert.Equal(a.CompareTo(b) < 0, left < right);
                Assert.Equal(a.CompareTo(b) > 0, left > right);
                Assert.Equal(a.CompareTo(b) <= 0, left <= right);
                Assert.Equal(a.CompareTo(b) >= 0, left >= right);
                Assert.Equal(a == b, left == right);
                Assert.Equal(a != b, left != right);
            }
        }
    }

    [Fact]
    public void Equal_bytes_are_equal_keys_with_equal_hashes_whoever_owns_them()
    {
        var random = Seeds.Start(output, out _);
        for (var round = 0; round < 2_000; round++)
        {
            var bytes = random.TroublesomeBytes(12);
            Assert.Equal(Key.Of(bytes), Key.Wrap([.. bytes]));
            Assert.Equal(Key.Of(bytes).GetHashCode(), Key.Wrap([.. bytes]).GetHashCode());
        }

        Assert.Equal(Key.Empty, Key.Of(""));
        Assert.Equal(default(Key).GetHashCode(), Key.Of("").GetHashCode());
    }

    [Fact]
    public void A_key_keeps_its_own_copy_of_the_bytes_it_was_made_of()
    {
        var bytes = "abc"u8.ToArray();
        var key = Key.Of(bytes);
        bytes[0] = (byte)'x';
        Assert.Equal(Key.Of("abc"), key);
    }
}
