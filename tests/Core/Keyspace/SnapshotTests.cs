using System.Buffers;
using Watch.Core.Keyspace;
using Xunit.Abstractions;

namespace Watch.Core.Tests.Keyspace;

public class SnapshotTests(ITestOutputHelper output)
{
    [Fact]
    public void Whatever_is_applied_meanwhile_a_snapshot_is_of_the_moment_at_which_it_began()
    {
        var random = Seeds.Start(output, out var seed);
        for (var history = 0; history < 300; history++)
            SnapshotRun.Check(random.Next(), KeyspaceRules.Standard, $"seed {seed}, history {history}");
    }

    [Theory]
    [InlineData(typeof(SavesNothing))]
    [InlineData(typeof(DropsResults))]
    [InlineData(typeof(SavesNoResults))]
    public void A_broken_rule_is_noticed(Type rule)
    {
        for (var seed = 0; seed < 100; seed++)
        {
            try
            {
                SnapshotRun.Check(seed, (KeyspaceRules)Activator.CreateInstance(rule)!, $"seed {seed}");
            }
            catch (Exception noticed)
            {
                output.WriteLine(noticed.Message);
                return;
            }
        }

        Assert.Fail($"{rule.Name} was not noticed");
    }

    [Fact]
    public void A_piece_costs_what_its_bytes_cost_however_much_changed_since_the_beginning()
    {
        const int Keys = 5000;
        var state = new BucketState();
        PutAll(state, "k", Keys);
        var snapshot = state.BeginSnapshot(1000);
        PutAll(state, "k", Keys);                                        // every key was saved
        PutAll(state, "a", Keys);                                        // and as many are new
        var (pieces, most, all) = (0, 0, 0L);
        for (var buffer = new ArrayBufferWriter<byte>(); snapshot.TryWritePiece(buffer); buffer.Clear(), pieces++)
        {
            Assert.InRange(buffer.WrittenCount, 1, 1000 + 100);
            (most, all) = (pieces < 2 ? 0 : Math.Max(most, snapshot.Passed), all + snapshot.Passed);
            if (snapshot.IsComplete || pieces * 20 > Keys * 4)
                break;
        }
        Assert.True(pieces > 50, $"{pieces} pieces");
        Assert.InRange(most, 1, 100);                                    // a key takes 20 bytes or more, a piece has 1,000
        Assert.InRange(all, Keys, 4 * Keys);
    }

    [Fact]
    public void A_state_that_arrived_is_completed_in_steps_of_so_many_scopes()
    {
        var state = new BucketState();
        PutAll(state, "/a/b", 1000);
        var reader = new BucketSnapshotReader();
        foreach (var piece in Take(state))
            reader.Add(piece);
        BucketState? complete;
        var steps = 1;
        while ((complete = reader.TryComplete(100)) is null)
            steps++;
        Assert.Equal((1000 + 2) / 100 + 1, steps);
        Assert.Equal(state.Digest(), complete.Digest());
    }

    [Fact]
    public void Beginning_copies_no_result_and_each_step_so_many()
    {
        var state = new BucketState();
        for (var each = 1; each <= 2 * BucketSnapshot.ResultsPerStep + 1; each++)
            state.Apply(WriteCommand.Put(Key.Of("k"), new byte[4], null, new WriteId(new ClientId((UInt128)(each % 3)), each, new LogIndex(each - 1), 1)), new AppliedAt(state.Applied.Next, new LogTime(1), 1), NothingWatched.Instance);
        var digest = state.Digest();
        using var snapshot = state.BeginSnapshot();
        Assert.False(snapshot.IsPrepared);
        Assert.Equal([false, false, true], Enumerable.Range(0, 3).Select(_ => snapshot.Prepare()));
        Assert.Equal(digest, Load(SnapshotRun.Rest(snapshot)).Digest());
    }

    private static void PutAll(BucketState state, string prefix, int count)
    {
        for (var each = 0; each < count; each++)
            state.Apply(WriteCommand.Put(Key.Of($"{prefix}{each:d6}"), new byte[4]), new AppliedAt(state.Applied.Next, new LogTime(1), 1), NothingWatched.Instance);
    }

    [Fact]
    public void An_empty_state_is_one_piece_and_comes_back()
    {
        var pieces = Take(new BucketState());
        Assert.Equal(new BucketState().Digest(), Load(Assert.Single(pieces)).Digest());
    }

    [Fact]
    public void One_snapshot_is_open_at_a_time_and_none_is_read_after_its_end()
    {
        var state = new BucketState();
        var first = state.BeginSnapshot();
        Assert.Throws<InvalidOperationException>(() => state.BeginSnapshot());
        first.Dispose();
        first.Dispose();
        Assert.Throws<ObjectDisposedException>(() => first.TryWritePiece(new ArrayBufferWriter<byte>()));
        state.BeginSnapshot().Dispose();
    }

    [Fact]
    public void The_bytes_of_format_version_3_are_fixed()
    {
        var pieces = Take(Small()).Select(Convert.ToHexString).ToList();
        output.WriteLine(string.Join('\n', pieces));
        Assert.Equal(SnapshotGolden.Bytes(SnapshotGolden.Pieces).Select(Convert.ToHexString), pieces);
        Assert.Equal(Small().Digest(), Load([.. SnapshotGolden.Bytes(SnapshotGolden.Pieces)]).Digest());
    }

    [Fact]
    public void A_snapshot_of_version_2_is_read_and_goes_on_as_what_it_was()
    {
        var read = Load([.. SnapshotGolden.Bytes(SnapshotGolden.PiecesOfVersion2)]);
        Assert.Equal(Small().Digest(), read.Digest());
        Assert.Equal(SnapshotGolden.Bytes(SnapshotGolden.Pieces), Take(read));
    }

    [Fact]
    public void Pieces_of_two_versions_make_no_snapshot()
    {
        var pieces = SnapshotGolden.Bytes(SnapshotGolden.PiecesOfVersion2);
        pieces[0] = SnapshotGolden.Bytes(SnapshotGolden.Pieces)[0];
        Assert.Contains("version 2 comes behind version 3", Assert.Throws<MalformedSnapshotException>(() => Load([.. pieces])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Who_wrote_a_change_and_what_made_it_come_through_a_snapshot_and_compaction()
    {
        var state = new BucketState();
        state.Apply(WriteCommand.Put(Key.Of("/k"), new byte[] { 1 }, writer: "first"), At(state), NothingWatched.Instance);
        state.Apply(WriteCommand.Put(Key.Of("/l"), new byte[] { 1 }, writer: "zweiter ü"), At(state), NothingWatched.Instance);
        state.Apply(new CompactCommand(new Revision(1)), At(state), NothingWatched.Instance);
        state.Apply(WriteCommand.Delete(Key.Of("/l"), writer: "first"), At(state), NothingWatched.Instance);
        state.Apply(WriteCommand.Put(Key.Of("/m"), default), At(state), NothingWatched.Instance);

        var loaded = Load(Take(state));

        Assert.Equal(state.Digest(), loaded.Digest());
        Assert.Equal(
            [(ChangeCause.Put, 0, "zweiter ü"), (ChangeCause.Delete, 0, "first"), (ChangeCause.Put, 0, null)],
            loaded.History(Scope.Bucket, new Revision(1), loaded.Revision, 10, 10_000).Commits.SelectMany(commit => commit.Changes).Select(change => (change.Cause, change.Position, change.Writer)));
        var other = new BucketState();
        other.Apply(WriteCommand.Put(Key.Of("/k"), new byte[] { 1 }, writer: "second"), At(other), NothingWatched.Instance);
        var same = new BucketState();
        same.Apply(WriteCommand.Put(Key.Of("/k"), new byte[] { 1 }, writer: "first"), At(same), NothingWatched.Instance);
        Assert.NotEqual(other.Digest(), same.Digest());
    }

    [Theory]
    [InlineData("01 0000 00", "cause 1")]
    [InlineData("06 0000 00", "cause 6")]
    [InlineData("00 0100 00", "revision 4")]
    [InlineData("00 0000 01 FF", "writer")]
    public void A_change_whose_origin_can_not_be_is_refused(string origin, string said)
    {
        var pieces = SnapshotGolden.Bytes([.. SnapshotGolden.Pieces.Select(piece => piece.Replace("6800000000000000 00 0000 00", "6800000000000000 " + origin, StringComparison.Ordinal))]);
        Assert.Contains(said, Assert.Throws<MalformedSnapshotException>(() => Load([.. pieces])).Message, StringComparison.Ordinal);
    }

    private static AppliedAt At(BucketState state) => new(state.Applied.Next, new LogTime(1), 1);

    [Fact]
    public void A_piece_of_another_version_is_refused_by_its_number()
    {
        var pieces = Take(Small());
        pieces[0][0] = 1;
        Assert.Contains("version 1", Assert.Throws<MalformedSnapshotException>(() => Load(pieces)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Pieces_that_are_missing_or_repeated_or_not_in_order_are_refused()
    {
        var pieces = Take(Small());
        for (var each = 0; each < pieces.Length; each++)
        {
            Refused([.. pieces[..each], .. pieces[(each + 1)..]]);
            Refused([.. pieces[..(each + 1)], .. pieces[each..]]);
            if (each > 0)
                Refused([.. pieces[..(each - 1)], pieces[each], pieces[each - 1], .. pieces[(each + 1)..]]);
        }

        Refused([]);
    }

    [Fact]
    public void Bytes_that_break_the_format_are_refused_by_type_and_never_otherwise()
    {
        var pieces = Take(Small());
        var refused = 0;
        for (var piece = 0; piece < pieces.Length; piece++)
        {
            for (var cut = 0; cut < pieces[piece].Length; cut++)
                Refused([.. pieces[..piece], pieces[piece][..cut], .. pieces[(piece + 1)..]]);
            for (var bit = 0; bit < pieces[piece].Length * 8; bit++)
            {
                var flipped = pieces[piece].ToArray();
                flipped[bit / 8] ^= (byte)(1 << (bit % 8));
                try
                {
                    Assert.NotEqual(Small().Digest(), Load([.. pieces[..piece], flipped, .. pieces[(piece + 1)..]]).Digest());
                }
                catch (MalformedSnapshotException)
                {
                    refused++;
                }
            }
        }

        Assert.True(refused > pieces.Sum(piece => piece.Length) * 2, $"{refused} flipped bits were refused");
    }

    private static void Refused(byte[][] pieces) => Assert.Throws<MalformedSnapshotException>(() => Load(pieces));

    /// <summary>A state with something of everything: a compacted version, a tombstone, history, two clients, one with a previous value.</summary>
    private static BucketState Small()
    {
        var state = new BucketState();
        Command[] story =
        [
            WriteCommand.Put(Key.Of("/a/b"), "1"u8.ToArray()),
            WriteCommand.Put(Key.Of("/a/c"), "2"u8.ToArray()),
            WriteCommand.Delete(Key.Of("/a/c")),
            new CompactCommand(new Revision(3), new Revision(1)),
            WriteCommand.Put(Key.Of("/a/b"), "3"u8.ToArray(), null, new WriteId(new ClientId(5), 2, new LogIndex(3), 1)),
            WriteCommand.Put(Key.Of("d"), "4"u8.ToArray(), Condition.Exists, new WriteId(new ClientId(6), 1, new LogIndex(3), 1)),
            WriteCommand.Delete(Key.Of("/a/b"), null, new WriteId(new ClientId(5), 3, new LogIndex(3), 3)),
        ];
        foreach (var (command, at) in story.Select((command, at) => (command, at)))
            state.Apply(command, new AppliedAt(new LogIndex(at + 2), new LogTime(at), 100 + at), NothingWatched.Instance);
        return state;
    }

    private static byte[][] Take(BucketState state)
    {
        using var snapshot = state.BeginSnapshot();
        return SnapshotRun.Rest(snapshot);
    }

    private static BucketState Load(params byte[][] pieces) => BucketState.Load(pieces.Select(piece => (ReadOnlyMemory<byte>)piece));

    private sealed class SavesNothing : KeyspaceRules
    {
        internal override bool SavesForSnapshots => false;
    }

    private sealed class SavesNoResults : KeyspaceRules
    {
        internal override bool SavesResultsForSnapshots => false;
    }

    private sealed class DropsResults : KeyspaceRules
    {
        internal override bool KeepsResultsInSnapshots => false;
    }
}
