using Watch.Core.Keyspace;

namespace Watch.Core.Tests.Keyspace;

/// <summary>What a writer may be called.</summary>
public sealed class WriterNameTests
{
    [Theory]
    [InlineData("a", true)]
    [InlineData("deploy-7 of ops", true)]
    [InlineData("", false)]
    public void A_name_is_text_of_at_least_a_byte(string name, bool isValid)
    {
        Assert.Equal(isValid, WriterName.IsValid(name));
        if (!isValid)
            Assert.Throws<ArgumentException>(() => WriteCommand.Put(Key.Of("a"), default, writer: name));
    }

    [Fact]
    public void A_name_has_at_most_64_bytes_of_utf_8()
    {
        Assert.True(WriterName.IsValid(new string('a', 64)));
        Assert.False(WriterName.IsValid(new string('a', 65)));
        Assert.True(WriterName.IsValid(new string('ü', 32)));
        Assert.False(WriterName.IsValid(new string('ü', 33)));
        Assert.False(WriterName.IsValid("half a character: \ud800"));
    }

    [Fact]
    public void A_named_write_is_recognized_as_one_that_may_be_proposed_again_by_its_id_alone()
    {
        var id = new WriteId(new ClientId(7), 1, new LogIndex(1), 1);
        foreach (var writer in new[] { null, "a", new string('a', 64) })
        {
            Assert.True(CommandCodec.IsNumbered(CommandCodec.Encode(WriteCommand.Delete(Key.Of("a"), null, id, writer))));
            Assert.False(CommandCodec.IsNumbered(CommandCodec.Encode(WriteCommand.Delete(Key.Of("a"), null, null, writer))));
        }

        var bytes = CommandCodec.Encode(WriteCommand.Delete(Key.Of("a"), null, id, "abc"));
        for (var length = 0; length < 2 + 4 + 3 + 1; length++)
            Assert.False(CommandCodec.IsNumbered(bytes.AsSpan(0, length)));
    }

    [Fact]
    public void The_name_is_no_part_of_what_makes_two_writes_the_same()
    {
        var (state, id) = (new BucketState(), new WriteId(new ClientId(7), 1, new LogIndex(0), 1));
        var first = state.Apply(WriteCommand.Put(Key.Of("a"), default, null, id, "one"), new AppliedAt(new LogIndex(1), new LogTime(1), 1), NothingWatched.Instance);
        var again = state.Apply(WriteCommand.Put(Key.Of("a"), default, null, id, "two"), new AppliedAt(new LogIndex(2), new LogTime(1), 1), NothingWatched.Instance);
        Assert.Equal((ApplyStatus.Applied, first.Revision), (again.Status, again.Revision));
        Assert.Equal("one", first.Commit!.Changes[0].Writer);
    }
}
