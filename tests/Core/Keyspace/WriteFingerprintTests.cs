using Watch.Core.Keyspace;
using Xunit.Abstractions;

namespace Watch.Core.Tests.Keyspace;

public class WriteFingerprintTests(ITestOutputHelper output)
{
    public static TheoryData<ulong, WriteCommand> Fixed => new()
    {
        { 0x9A140B70249FAB2A, WriteCommand.Put(Key.Of("a"), default) },
        { 0x7F8F0772375D750C, WriteCommand.Delete(Key.Of("a")) },
        { 0xE347809CCB313243, WriteCommand.Put(Key.Of("/key/of/some/length"), "a value of more than eight bytes"u8.ToArray(), Condition.ValueEquals("before"u8.ToArray())) },
        { 0x69F358F6579354A4, WriteCommand.Put(Key.Of("a"), "1"u8.ToArray(), Condition.RevisionEquals(new Revision(7))) },
    };

    [Theory]
    [MemberData(nameof(Fixed))]
    public void A_fingerprint_never_changes(ulong expected, WriteCommand write)
    {
        output.WriteLine($"0x{WriteFingerprint.Of(write):X16}");
        Assert.Equal(expected, WriteFingerprint.Of(write));
    }

    [Fact]
    public void Writes_that_differ_in_anything_but_the_id_have_different_fingerprints()
    {
        var random = Seeds.Start(output, out _);
        var seen = new Dictionary<ulong, string>();
        for (var each = 0; each < 20_000; each++)
        {
            var write = Next(random, null);
            var text = Convert.ToHexString(CommandCodec.Encode(write));
            var print = WriteFingerprint.Of(write);
            Assert.Equal(print, WriteFingerprint.Of(WithId(write, each + 1)));
            Assert.True(seen.TryAdd(print, text) || seen[print] == text, $"{seen[print]} and {text} have one fingerprint");
        }

        Assert.True(seen.Count > 5000, $"{seen.Count} different writes");
    }

    // Short, few and similar, so that writes differ by little.
    private static WriteCommand Next(Random random, WriteId? id)
    {
        var key = Key.Of([.. Enumerable.Repeat((byte)random.Next(2), random.Next(1, 18))]);
        var condition = random.Next(5) switch
        {
            0 => Condition.Absent,
            1 => Condition.Exists,
            2 => Condition.RevisionEquals(new Revision(random.Next(3))),
            3 => Condition.ValueEquals(Bytes(random)),
            _ => null,
        };
        return random.Next(4) == 0 ? WriteCommand.Delete(key, condition, id) : WriteCommand.Put(key, Bytes(random), condition, id);
    }

    private static WriteCommand WithId(WriteCommand write, long number)
    {
        var id = new WriteId(new ClientId(9), number, new LogIndex(3), 1);
        return write.Kind == ChangeKind.Put ? WriteCommand.Put(write.Key, write.Value, write.Condition, id) : WriteCommand.Delete(write.Key, write.Condition, id);
    }

    private static byte[] Bytes(Random random) => [.. Enumerable.Repeat((byte)random.Next(2), random.Next(18))];
}
