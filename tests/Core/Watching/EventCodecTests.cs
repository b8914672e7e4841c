using System.Text;
using Watch.Core.Watching;

namespace Watch.Core.Tests.Watching;

/// <summary>The bytes of events on their way to clients: fixed, and never half understood.</summary>
public sealed class EventCodecTests
{
    private static readonly BlockEvent s_put = new(ChangeKind.Put, Key.Of("/a"), new byte[] { 1, 2 }, default, new Revision(7), new Revision(5), 3, 1_000);

    private static readonly BlockEvent s_delete = new(
        ChangeKind.Delete, Key.Of("b"), default, new PreviousValue(PreviousState.Value, new byte[] { 9 }), new Revision(7), new Revision(6), 0, 2_000, 1, (byte)ChangeKind.Delete);

    private static readonly BlockEvent s_expired = s_delete with { Cause = 2, Writer = "ö", Previous = new PreviousValue(PreviousState.DidNotExist, default) };

    public static TheoryData<string, BlockKind, BlockEvent[]> Layouts => new()
    {
        { "01 00 0700000000000000 00000000", BlockKind.Commit, [] },
        { "01 00 0700000000000000 01000000  00 00 02 2F61 02 0102 0500000000000000 0300000000000000 0000 E803000000000000", BlockKind.Commit, [s_put] },
        {
            "01 01 0700000000000000 02000000  00 00 02 2F61 02 0102 0500000000000000 0300000000000000 0000 E803000000000000"
            + "01 02 01 62 00 01 09 0600000000000000 0000000000000000 0100 D007000000000000",
            BlockKind.Fragment,
            [s_put, s_delete]
        },
        { "01 00 0700000000000000 01000000  01 0D 01 62 00 0600000000000000 0000000000000000 0100 D007000000000000 02 02 C3B6", BlockKind.Commit, [s_expired] },
        {
            "01 02 0700000000000000 01000000  00 00 02 2F61 02 0102 0500000000000000 0300000000000000 0600000000000000 0000 0000000000000000",
            BlockKind.Page,
            [s_put with { Revision = new Revision(6), CommitTimeMs = 0 }]
        },
    };

    [Theory]
    [MemberData(nameof(Layouts))]
    public void The_bytes_of_a_block_are_fixed_and_read_back_as_they_were(string hex, BlockKind kind, BlockEvent[] events)
    {
        var bytes = Bytes(hex);
        Assert.Equal(Convert.ToHexString(bytes), Convert.ToHexString(EventCodec.Encode(kind, new Revision(7), events)));
        var read = EventCodec.Decode(bytes);
        Assert.Equal((kind, new Revision(7)), (read.Kind, read.Revision));
        AssertSame(events, read.Events);
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Bytes_that_end_early_or_run_on_are_refused(string hex, BlockKind kind, BlockEvent[] events)
    {
        var bytes = EventCodec.Encode(kind, new Revision(7), events);
        for (var length = 0; length < bytes.Length; length++)
            Assert.Throws<FormatException>(() => EventCodec.Decode(bytes.AsMemory(0, length)));
        Assert.Throws<FormatException>(() => EventCodec.Decode((byte[])[.. Bytes(hex), 0]));
    }

    [Theory]
    [InlineData("02 00 0700000000000000 00000000", "version 2")]
    [InlineData("01 03 0700000000000000 00000000", "kind 3")]
    [InlineData("01 00 FFFFFFFFFFFFFFFF 00000000", "negative")]
    [InlineData("01 00 0700000000000000 FFFFFFFF", "-1 events")]
    [InlineData("01 00 0700000000000000 FFFFFF7F", "cannot hold")]
    [InlineData("01 00 0700000000000000 01000000  02 00 02 2F61 00 0500000000000000 0300000000000000 0000 E803000000000000", "Event kind 2")]
    [InlineData("01 00 0700000000000000 01000000  00 03 02 2F61 00 0500000000000000 0300000000000000 0000 E803000000000000", "flags 3")]
    [InlineData("01 00 0700000000000000 01000000  00 10 02 2F61 00 0500000000000000 0300000000000000 0000 E803000000000000", "flags 16")]
    [InlineData("01 00 0700000000000000 01000000  00 00 8000 2F61 00 0500000000000000 0300000000000000 0000 E803000000000000", "length is malformed")]
    [InlineData("01 00 0700000000000000 01000000  00 00 FFFFFFFF0F 2F61 00 0500000000000000 0300000000000000 0000 E803000000000000", "length is malformed")]
    [InlineData("01 00 0700000000000000 01000000  00 08 02 2F61 00 0500000000000000 0300000000000000 0000 E803000000000000 00", "the kind's own")]
    [InlineData("01 00 0700000000000000 01000000  00 04 02 2F61 00 0500000000000000 0300000000000000 0000 E803000000000000 01 FF", "not UTF-8")]
    public void A_block_that_breaks_the_layout_is_refused_by_name(string hex, string said) =>
        Assert.Contains(said, Assert.Throws<FormatException>(() => EventCodec.Decode(Bytes(hex))).Message, StringComparison.Ordinal);

    [Fact]
    public void Whatever_is_encoded_is_decoded_and_no_changed_length_is_taken()
    {
        var seed = Random.Shared.Next();
        var random = new Random(seed);
        for (var run = 0; run < 300; run++)
        {
            var kind = (BlockKind)random.Next(3);
            var events = Enumerable.Range(0, random.Next(6)).Select(_ => Draw(random, kind)).ToArray();
            var bytes = EventCodec.Encode(kind, new Revision(42), events);
            AssertSame(events, EventCodec.Decode(bytes).Events, $"seed {seed}, run {run}");
            var cut = random.Next(bytes.Length);
            Assert.ThrowsAny<FormatException>(() => EventCodec.Decode(bytes.AsMemory(0, cut)));
            Assert.ThrowsAny<FormatException>(() => EventCodec.Decode((byte[])[.. bytes, (byte)random.Next(256)]));
        }
    }

    private static BlockEvent Draw(Random random, BlockKind kind)
    {
        var previous = random.Next(3) switch
        {
            0 => default,
            1 => new PreviousValue(PreviousState.DidNotExist, default),
            _ => new PreviousValue(PreviousState.Value, Some(random, 200)),
        };
        var isPut = kind == BlockKind.Page || random.Next(2) == 0;
        return new BlockEvent(
            isPut ? ChangeKind.Put : ChangeKind.Delete,
            Key.Of(Some(random, 300)),
            isPut ? Some(random, 20_000) : default,
            previous,
            new Revision(kind == BlockKind.Page ? random.NextInt64(1, 42) : 42),
            new Revision(random.NextInt64(0, long.MaxValue)),
            random.NextInt64(),
            random.NextInt64(),
            (ushort)random.Next(ushort.MaxValue + 1),
            random.Next(3) == 0 ? (byte)random.Next(8) : (byte)(isPut ? 0 : 1),
            random.Next(3) == 0 ? Encoding.UTF8.GetString("writer"u8) + random.Next(1_000) : null);
    }

    private static byte[] Some(Random random, int max)
    {
        var bytes = new byte[random.Next(max)];
        random.NextBytes(bytes);
        return bytes;
    }

    private static void AssertSame(BlockEvent[] expected, BlockEvent[] actual, string where = "")
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var at = 0; at < expected.Length; at++)
        {
            var (one, other) = (expected[at], actual[at]);
            Assert.True(one.Value.Span.SequenceEqual(other.Value.Span), where);
            Assert.Equal((one.Previous.State, Convert.ToHexString(one.Previous.Value.Span)), (other.Previous.State, Convert.ToHexString(other.Previous.Value.Span)));
            Assert.Equal(one with { Value = default, Previous = default }, other with { Value = default, Previous = default });
        }
    }

    private static byte[] Bytes(string hex) => Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal));
}
