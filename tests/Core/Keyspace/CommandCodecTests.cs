using Watch.Core.Keyspace;

namespace Watch.Core.Tests.Keyspace;

public class CommandCodecTests
{
    private static readonly WriteId s_id = new(new ClientId(UInt128.Parse("FFEEDDCCBBAA99887766554433221100", System.Globalization.NumberStyles.HexNumber, null)), 9, new LogIndex(8), 7);

    public static TheoryData<string, Command> Layouts => new()
    {
        { "0101 00 00 01000000 61 02000000 0102", WriteCommand.Put(Key.Of("a"), new byte[] { 1, 2 }) },
        { "0101 00 03 01000000 61 00000000", WriteCommand.Put(Key.Of("a"), default, Condition.Absent) },
        { "0101 00 01 01000000 61 01000000 07 01000000 09", WriteCommand.Put(Key.Of("a"), new byte[] { 7 }, Condition.ValueEquals(new byte[] { 9 })) },
        { "0101 01 00 02000000 FF00", WriteCommand.Delete(Key.Of([0xFF, 0x00])) },
        { "0101 01 02 01000000 61 0807060504030201", WriteCommand.Delete(Key.Of("a"), Condition.RevisionEquals(new Revision(0x0102030405060708))) },
        { "0101 01 04 01000000 61", WriteCommand.Delete(Key.Of("a"), Condition.Exists) },
        { "0103 00112233445566778899AABBCCDDEEFF 0900000000000000 0800000000000000 0700000000000000 00 03 01000000 61 01000000 05", WriteCommand.Put(Key.Of("a"), new byte[] { 5 }, Condition.Absent, s_id) },
        { "0103 00112233445566778899AABBCCDDEEFF 0900000000000000 0800000000000000 0700000000000000 01 00 01000000 61", WriteCommand.Delete(Key.Of("a"), null, s_id) },
        { "0104 03000000 6F7073 01 00 00 01000000 61 01000000 05", WriteCommand.Put(Key.Of("a"), new byte[] { 5 }, writer: "ops") },
        { "0104 02000000 C3BC 03 00112233445566778899AABBCCDDEEFF 0900000000000000 0800000000000000 0700000000000000 01 00 01000000 61", WriteCommand.Delete(Key.Of("a"), null, s_id, "ü") },
        { "0102 0500000000000000 FFFFFFFFFFFFFFFF", new CompactCommand(new Revision(5)) },
        { "0102 0500000000000000 0200000000000000", new CompactCommand(new Revision(5), new Revision(2)) },
    };

    [Theory]
    [MemberData(nameof(Layouts))]
    public void The_bytes_of_a_command_are_fixed_for_ever_and_read_back_as_they_were(string hex, Command command)
    {
        var bytes = Bytes(hex);
        Assert.Equal(Convert.ToHexString(bytes), Convert.ToHexString(CommandCodec.Encode(command)));
        Assert.Equal(bytes, CommandCodec.Encode(CommandCodec.Decode(bytes)));
    }

    [Fact]
    public void A_compaction_that_could_not_be_read_back_is_not_written_either() =>
        Assert.Throws<InvariantViolationException>(() => CommandCodec.Encode(new CompactCommand(new Revision(5), new Revision(6))));

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Bytes_that_end_early_or_run_on_are_refused(string hex, Command command)
    {
        var bytes = CommandCodec.Encode(command);
        for (var length = 0; length < bytes.Length; length++)
            Assert.Throws<MalformedCommandException>(() => CommandCodec.Decode(bytes.AsSpan(0, length)));
        Assert.Throws<MalformedCommandException>(() => CommandCodec.Decode([.. Bytes(hex), 0]));
    }

    [Theory]
    [InlineData("0201 00 00 01000000 61 00000000", "version 2")]
    [InlineData("0105 00 00 01000000 61 00000000", "kind 5")]
    [InlineData("0104 00000000 01 00 00 01000000 61 00000000", "writer's name")]
    [InlineData("0104 01000000 FF 01 00 00 01000000 61 00000000", "writer's name")]
    [InlineData("0104 01000000 61 02 0500000000000000 0200000000000000", "kind 2 has no writer")]
    [InlineData("0104 01000000 61 04 01000000 61 01 00 00 01000000 61 00000000", "kind 4 has no writer")]
    [InlineData("0103 00112233445566778899AABBCCDDEEFF 0000000000000000 0000000000000000 0000000000000000 01 00 01000000 61", "number 0")]
    [InlineData("0103 00112233445566778899AABBCCDDEEFF 0100000000000000 0000000000000000 0200000000000000 01 00 01000000 61", "open number 2")]
    [InlineData("0103 00112233445566778899AABBCCDDEEFF 0100000000000000 FFFFFFFFFFFFFFFF 0100000000000000 01 00 01000000 61", "index -1")]
    [InlineData("0101 02 00 01000000 61 00000000", "Operation 2")]
    [InlineData("0101 00 05 01000000 61 00000000", "Condition 5")]
    [InlineData("0101 00 00 00000000 00000000", "no bytes")]
    [InlineData("0101 00 00 FFFFFFFF 61 00000000", "'key'")]
    [InlineData("0101 00 00 01000000 61 FFFFFF7F", "'value'")]
    [InlineData("0101 01 02 01000000 61 FFFFFFFFFFFFFFFF", "negative")]
    [InlineData("0102 0500000000000000 0600000000000000", "outside")]
    [InlineData("0102 0500000000000000 FEFFFFFFFFFFFFFF", "outside")]
    [InlineData("0102 FFFFFFFFFFFFFFFF FFFFFFFFFFFFFFFF", "negative")]
    public void A_command_that_breaks_the_layout_is_refused_by_name(string hex, string said) =>
        Assert.Contains(said, Assert.Throws<MalformedCommandException>(() => CommandCodec.Decode(Bytes(hex))).Message, StringComparison.Ordinal);

    [Fact]
    public void A_decoded_command_does_not_share_the_bytes_it_came_from()
    {
        var bytes = CommandCodec.Encode(WriteCommand.Put(Key.Of("key"), "value"u8.ToArray()));
        var command = (WriteCommand)CommandCodec.Decode(bytes);
        Array.Clear(bytes);
        Assert.Equal(Key.Of("key"), command.Key);
        Assert.Equal("value"u8.ToArray(), command.Value.ToArray());
    }

    private static byte[] Bytes(string hex) => Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal));
}
