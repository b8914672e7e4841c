using System.Buffers.Binary;
using Watch.Core.Consensus;
using Watch.Core.Consensus.Messages;
using Watch.Core.Storage;
using Xunit.Abstractions;

namespace Watch.Core.Tests.Consensus;

public sealed class ParcelCodecTests(ITestOutputHelper output)
{
    private static readonly GroupId _group = new(7);
    private static readonly Term _term = new(5);
    private static readonly NodeId _from = new(new UInt128(1, 2));
    private static readonly Round _round = new(9, TimeSpan.FromTicks(12345));

    private static readonly Message[] _messages =
    [
        new RequestPreVote(_group, _term, _from, new LogIndex(3), new Term(4)),
        new PreVoteAnswer(_group, _term, _from, new Term(6), true),
        new RequestVote(_group, _term, _from, new LogIndex(3), new Term(4), new Release(new Term(4), 17)),
        new RequestVote(_group, _term, _from, new LogIndex(3), new Term(4), null),
        new VoteAnswer(_group, _term, _from, false),
        new AppendAnswer(_group, _term, _from, _round, false, new LogIndex(10), new LogIndex(8), new Term(2), new LogIndex(6)),
        new TimeoutNow(_group, _term, _from, 33),
        new ReleaseLease(_group, _term, _from, 34),
    ];

    private static AppendEntries Append => new(_group, _term, _from, _round, new LogIndex(10), new Term(3), new LogIndex(9), new Entry[]
    {
        new(new LogIndex(11), new Term(3), new LogTime(70), -5, EntryKind.Command, new byte[] { 1, 2, 3 }),
        new(new LogIndex(12), new Term(5), new LogTime(71), 1_700_000_000_000, EntryKind.NoOp, default),
    });

    private static InstallSnapshot Piece => new(
        _group, _term, _from, _round,
        new SnapshotInfo(_group, new LogIndex(9), new Term(3), new LogTime(70), new SnapshotMembers(new LogIndex(1), new Membership([_from], []), _from).Encode()),
        3, true, new byte[] { 7, 8 });

    private static Heartbeat Beat => new(_from, _round, [new GroupTerm(_group, _term), new GroupTerm(new GroupId(8), new Term(1))]);

    private static Parcel All => new(new NodeId(2), [.. _messages, Append, Beat, new HeartbeatAnswer(_from, _round, [new GroupTerm(_group, Term.None)])]);

    [Fact]
    public void What_was_written_is_read()
    {
        var read = ParcelCodec.Decode(ParcelCodec.Encode(All));
        Assert.Equal(new NodeId(2), read.To);
        Assert.Equal(_messages, read.Messages.Take(_messages.Length));
        var append = Assert.IsType<AppendEntries>(read.Messages[_messages.Length]);
        Assert.Equal(Append with { Entries = default }, append with { Entries = default });
        Assert.Equal(Append.Entries.ToArray().Select(Text), append.Entries.ToArray().Select(Text));
        Assert.Equal(Beat.Leads.AsEnumerable(), Assert.IsType<Heartbeat>(read.Messages[^2]).Leads);
        Assert.Equal((_round, Term.None), (((HeartbeatAnswer)read.Messages[^1]).Round, ((HeartbeatAnswer)read.Messages[^1]).Reached[0].Term));
        Assert.Equal(ParcelCodec.Encode(All), ParcelCodec.Encode(read));
    }

    [Fact]
    public void A_piece_of_a_snapshot_is_read_as_it_was_written()
    {
        var parcel = new Parcel(new NodeId(2), [Piece, new SnapshotAnswer(_group, _term, _from, _round, new LogIndex(9), 4)]);
        var bytes = ParcelCodec.Encode(parcel);
        var read = ParcelCodec.Decode(bytes);
        var piece = Assert.IsType<InstallSnapshot>(read.Messages[0]);
        Assert.True(piece.Snapshot.StandsFor(Piece.Snapshot) && piece.Snapshot.Members.Span.SequenceEqual(Piece.Snapshot.Members.Span) && piece.Content.Span.SequenceEqual(Piece.Content.Span));
        Assert.Equal((3, true, _round, new LogTime(70)), (piece.Chunk, piece.IsLast, piece.Round, piece.Snapshot.Stamp));
        Assert.Equal(parcel.Messages[1], read.Messages[1]);
        for (var length = 0; length < bytes.Length; length++)
            Assert.Throws<MalformedParcelException>(() => ParcelCodec.Decode(bytes.AsMemory(0, length)));
    }

    [Fact]
    public void A_snapshot_that_cannot_be_is_refused()
    {
        foreach (var bad in new[]
        {
            Piece with { Snapshot = Piece.Snapshot with { Term = _term.Next } }, Piece with { Snapshot = Piece.Snapshot with { Index = LogIndex.None } },
            Piece with { Snapshot = Piece.Snapshot with { Members = new byte[25] } }, Piece with { Content = default },
        })
            Assert.Throws<MalformedParcelException>(() => ParcelCodec.Decode(ParcelCodec.Encode(new Parcel(new NodeId(2), [bad]))));
    }

    [Fact]
    public void The_bytes_are_those_that_are_written_down()
    {
        var bytes = ParcelCodec.Encode(new Parcel(new NodeId(2), [new VoteAnswer(_group, _term, new NodeId(1), true)]));
        Assert.Equal("03" + "A95A4E95" + "01000000000000000000000000000000" + "02000000000000000000000000000000" + "01000000" + "04" + "07000000" + "0500000000000000" + "01", Convert.ToHexString(bytes));
    }

    [Fact]
    public void A_parcel_that_ends_early_or_late_is_refused()
    {
        var bytes = ParcelCodec.Encode(All);
        for (var length = 0; length < bytes.Length; length++)
            Assert.Throws<MalformedParcelException>(() => ParcelCodec.Decode(bytes.AsMemory(0, length)));
        Assert.Throws<MalformedParcelException>(() => ParcelCodec.Decode((byte[])[.. bytes, 0]));
    }

    [Fact]
    public void A_parcel_with_any_bit_turned_over_is_refused()
    {
        var bytes = ParcelCodec.Encode(All);
        for (var bit = 0; bit < bytes.Length * 8; bit++)
        {
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.Throws<MalformedParcelException>(() => ParcelCodec.Decode(bytes));
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
        }
        Assert.Equal(All.Messages.Length, ParcelCodec.Decode(bytes).Messages.Length);
    }

    [Fact]
    public void Parcels_that_would_stop_the_node_that_hears_them_are_refused()
    {
        var high = (1L << 60) + 1;
        var first = Append.Entries.Span[0];
        Message[] bad =
        [
            Append with { Entries = new[] { first with { Kind = EntryKind.Voters, Payload = new byte[17] } } },
            Append with { Entries = new[] { first with { Kind = EntryKind.Voters, Payload = default } } },
            Append with { Entries = new[] { first, Append.Entries.Span[1] with { Stamp = new LogTime(first.Stamp.Value - 1) } } },
            Append with { Entries = new[] { first with { Stamp = new LogTime(high) } } },
            Append with { Entries = default, Previous = new LogIndex(high) },
            Append with { Entries = default, Commit = new LogIndex(high) },
            Append with { Entries = default, Round = new Round(-1, TimeSpan.Zero) },
            Append with { Entries = default, Round = new Round(1, TimeSpan.FromTicks(-1)) },
            new RequestVote(_group, new Term(high), _from, new LogIndex(3), new Term(4), null),
            new RequestVote(_group, _term, _from, new LogIndex(3), new Term(4), new Release(_term, -1)),
            new TimeoutNow(_group, _term, _from, -1),
            new HeartbeatAnswer(_from, _round, [new GroupTerm(_group, new Term(long.MaxValue))]),
        ];
        foreach (var message in bad)
            Assert.True(IsRefused(message), message.ToString());
        Assert.False(IsRefused(Append with { Previous = new LogIndex((1L << 60) - 5) }));

        static bool IsRefused(Message message)
        {
            try
            {
                ParcelCodec.Decode(ParcelCodec.Encode(new Parcel(new NodeId(2), [message])));
                return false;
            }
            catch (MalformedParcelException)
            {
                return true;
            }
        }
    }

    /// <summary>The checksum put right again: what it did not find, the reader does, or it is something that could have been written.</summary>
    [Fact]
    public void Bytes_that_are_wrong_are_read_as_something_or_refused()
    {
        var random = Tests.Seeds.Start(output, out _);
        var good = ParcelCodec.Encode(All);
        var refused = 0;
        for (var i = 0; i < 20_000; i++)
        {
            var bytes = (byte[])good.Clone();
            for (var flips = random.Next(1, 4); flips > 0; flips--)
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(1), Crc32C.Append(Crc32C.Append(0, bytes.AsSpan(0, 1)), bytes.AsSpan(5)));
            try
            {
                ParcelCodec.Decode(bytes);
            }
            catch (MalformedParcelException)
            {
                refused++;
            }
        }
        Assert.InRange(refused, 1, 19_999);
    }

    private static string Text(Entry entry) => $"{entry with { Payload = default }} {Convert.ToHexString(entry.Payload.Span)}";
}
