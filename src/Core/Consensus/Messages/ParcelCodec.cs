using System.Buffers.Binary;
using System.Collections.Immutable;
using Watch.Core.Storage;

namespace Watch.Core.Consensus.Messages;

/// <summary>The bytes of a parcel are not what this program, or any version of it that it understands, writes.</summary>
public sealed class MalformedParcelException(string problem) : Exception($"A parcel of another node cannot be read: {problem}");

/// <summary>
/// Parcels as bytes. Little-endian, numbers of fixed width, nothing optional but where a flag says so.
///
///   parcel     version (1 byte, 3), checksum (4), sender (16), receiver (16), number of messages (4), the messages
///   message    kind (1); then, but for the kinds 9 and 10, group (4) and term (8); then by kind
///     1 request pre-vote    last index (8), its term (8)
///     2 pre-vote answer     asked term (8), granted (1)
///     3 request vote        last index (8), its term (8), released (1: 0 or 1), and if so term (8), round (8)
///     4 vote answer         granted (1)
///     5 append entries      round (16), previous index (8), its term (8), commit (8), number of entries (4), the entries
///     6 append answer       round (16), accepted (1), index (8), hint (8), its term (8), commit (8)
///     7 timeout now         round number (8)
///     8 release lease       round number (8)
///     9 heartbeat           round (16), number of groups (4), each group (4) and term (8)
///    10 heartbeat answer    as 9
///    11 install snapshot    round (16), index (8), its term (8), its stamp (8), members (length (4) and bytes), chunk (4), is last (1),
///                           length (4), content
///    12 snapshot answer     round (16), index (8), next chunk (4)
///   round      number (8), when it began in the ticks (8) of the clock of the node that began it, which never shows less than 0
///   entry      kind (1), term (8), stamp (8), wall clock (8), length (4), payload; its index follows from the one before
///
/// The checksum is the CRC-32C of the version and of all that follows the checksum: what the transport, or the memory of a machine on the
/// way, has changed is not heard. Versions 1 and 2 had none; they were never released and are not read.
///
/// A reader takes nothing on trust, because what it lets through may stop the node that hears it: another checksum, a length beyond the
/// bytes that are there, an unknown kind, a flag that is neither 0 nor 1, a negative number, an index, term or stamp so high that counting
/// on would overflow, stamps that fall, voters that nobody could write, or bytes behind the end are a <see cref="MalformedParcelException"/>.
/// </summary>
public static partial class ParcelCodec
{
    internal const byte Version = 3;

    /// <summary>Where the checksum stands, and where what it covers goes on.</summary>
    private const int ChecksumOffset = 1;
    private const int ContentOffset = 5;

    private const int RoundBytes = 16;
    private const int GroupTermBytes = 12;
    private const int EntryBytes = 29;
    private const int MessageBytes = 64;

    /// <summary>About how many bytes a message takes.</summary>
    internal static int SizeOf(Message message) => MessageBytes + message switch
    {
        AppendEntries append => SizeOf(append.Entries.Span),
        Heartbeat heartbeat => heartbeat.Leads.Length * GroupTermBytes,
        HeartbeatAnswer answer => answer.Reached.Length * GroupTermBytes,
        InstallSnapshot part => part.Content.Length + part.Snapshot.Members.Length,
        _ => 0,
    };

    /// <summary>Writes a parcel.</summary>
    public static byte[] Encode(Parcel parcel)
    {
        ArgumentNullException.ThrowIfNull(parcel);
        var writer = new ByteWriter(parcel.Messages.Sum(SizeOf) + MessageBytes);
        writer.Byte(Version);
        writer.Int(0);
        writer.Node(parcel.Messages[0].From);
        writer.Node(parcel.To);
        writer.Int(parcel.Messages.Length);
        foreach (var message in parcel.Messages)
            Write(ref writer, message);
        var bytes = writer.ToArray();
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(ChecksumOffset), ChecksumOf(bytes));
        return bytes;
    }

    /// <summary>Reads a parcel.</summary>
    /// <exception cref="MalformedParcelException">The bytes are no parcel.</exception>
    public static Parcel Decode(ReadOnlyMemory<byte> bytes)
    {
        var reader = new ByteReader(bytes);
        var version = reader.Byte();
        if (version != Version)
            throw new MalformedParcelException($"version {version} is unknown");
        if (reader.Int() is var checksum && (uint)checksum != ChecksumOf(bytes.Span))
            throw new MalformedParcelException($"its checksum is {ChecksumOf(bytes.Span):x8} and not {checksum:x8} as it says");
        var from = reader.Node();
        var to = reader.Node();
        var messages = ImmutableArray.CreateBuilder<Message>();
        for (var left = reader.Count(1); left > 0; left--)
            messages.Add(ReadMessage(ref reader, from));
        reader.End();
        return new Parcel(to, messages.ToImmutable());
    }

    private static uint ChecksumOf(ReadOnlySpan<byte> parcel) =>
        Crc32C.Append(Crc32C.Append(0, parcel[..ChecksumOffset]), parcel[ContentOffset..]);

    private static int SizeOf(ReadOnlySpan<Entry> entries)
    {
        var bytes = 0;
        foreach (var entry in entries)
            bytes += EntryBytes + entry.Payload.Length;
        return bytes;
    }

    private static void Write(ref ByteWriter writer, Message message)
    {
        switch (message)
        {
            case Heartbeat heartbeat:
                writer.Byte(9);
                WriteTerms(ref writer, heartbeat.Round, heartbeat.Leads);
                break;
            case HeartbeatAnswer answer:
                writer.Byte(10);
                WriteTerms(ref writer, answer.Round, answer.Reached);
                break;
            case GroupMessage of:
                writer.Byte(KindOf(of));
                writer.Int(of.Group.Value);
                writer.Long(of.Term.Value);
                WriteContent(ref writer, of);
                break;
        }
    }

    private static byte KindOf(GroupMessage message) => message switch
    {
        RequestPreVote => 1,
        PreVoteAnswer => 2,
        RequestVote => 3,
        VoteAnswer => 4,
        AppendEntries => 5,
        AppendAnswer => 6,
        TimeoutNow => 7,
        ReleaseLease => 8,
        InstallSnapshot => 11,
        SnapshotAnswer => 12,
        _ => throw new ArgumentException($"{message.GetType().Name} has no bytes", nameof(message)),
    };

    private static void WriteContent(ref ByteWriter writer, GroupMessage message)
    {
        switch (message)
        {
            case RequestPreVote ask:
                writer.Long(ask.Last.Value);
                writer.Long(ask.LastTerm.Value);
                break;
            case PreVoteAnswer answer:
                writer.Long(answer.Asked.Value);
                writer.Flag(answer.Granted);
                break;
            case RequestVote ask:
                writer.Long(ask.Last.Value);
                writer.Long(ask.LastTerm.Value);
                writer.Flag(ask.Released is not null);
                if (ask.Released is { } released)
                {
                    writer.Long(released.Term.Value);
                    writer.Long(released.RoundNumber);
                }
                break;
            case VoteAnswer answer:
                writer.Flag(answer.Granted);
                break;
            case AppendEntries append:
                WriteAppend(ref writer, append);
                break;
            case AppendAnswer answer:
                WriteRound(ref writer, answer.Round);
                writer.Flag(answer.Accepted);
                writer.Long(answer.Index.Value);
                writer.Long(answer.Hint.Value);
                writer.Long(answer.HintTerm.Value);
                writer.Long(answer.Commit.Value);
                break;
            case TimeoutNow now:
                writer.Long(now.RoundNumber);
                break;
            case ReleaseLease release:
                writer.Long(release.RoundNumber);
                break;
            case InstallSnapshot or SnapshotAnswer:
                WriteOfSnapshot(ref writer, message);
                break;
        }
    }

    private static void WriteAppend(ref ByteWriter writer, AppendEntries append)
    {
        WriteRound(ref writer, append.Round);
        writer.Long(append.Previous.Value);
        writer.Long(append.PreviousTerm.Value);
        writer.Long(append.Commit.Value);
        writer.Int(append.Entries.Length);
        foreach (var entry in append.Entries.Span)
        {
            writer.Byte((byte)entry.Kind);
            writer.Long(entry.Term.Value);
            writer.Long(entry.Stamp.Value);
            writer.Long(entry.WallTimeMs);
            writer.Int(entry.Payload.Length);
            writer.Bytes(entry.Payload.Span);
        }
    }

    private static void WriteRound(ref ByteWriter writer, in Round round)
    {
        writer.Long(round.Number);
        writer.Long(round.BeganAt.Ticks);
    }

    private static void WriteTerms(ref ByteWriter writer, in Round round, ImmutableArray<GroupTerm> terms)
    {
        WriteRound(ref writer, round);
        writer.Int(terms.Length);
        foreach (var (group, term) in terms)
        {
            writer.Int(group.Value);
            writer.Long(term.Value);
        }
    }

    private static Message ReadMessage(ref ByteReader reader, NodeId from)
    {
        var kind = reader.Byte();
        if (kind == 9)
            return new Heartbeat(from, ReadRound(ref reader), ReadTerms(ref reader));
        if (kind == 10)
            return new HeartbeatAnswer(from, ReadRound(ref reader), ReadTerms(ref reader));

        var group = new GroupId((int)reader.Natural(reader.Int()));
        var term = reader.Term();
        return kind switch
        {
            1 => new RequestPreVote(group, term, from, reader.Index(), reader.Term()),
            2 => new PreVoteAnswer(group, term, from, reader.Term(), reader.Flag()),
            3 => new RequestVote(group, term, from, reader.Index(), reader.Term(), reader.Flag() ? new Release(reader.Term(), reader.Natural(reader.Long())) : null),
            4 => new VoteAnswer(group, term, from, reader.Flag()),
            5 => ReadAppend(ref reader, group, term, from),
            6 => new AppendAnswer(group, term, from, ReadRound(ref reader), reader.Flag(), reader.Index(), reader.Index(), reader.Term(), reader.Index()),
            7 => new TimeoutNow(group, term, from, reader.Natural(reader.Long())),
            8 => new ReleaseLease(group, term, from, reader.Natural(reader.Long())),
            11 => ReadSnapshot(ref reader, group, term, from),
            12 => new SnapshotAnswer(group, term, from, ReadRound(ref reader), reader.Index(), (int)reader.Natural(reader.Int())),
            _ => throw new MalformedParcelException($"message kind {kind} is unknown"),
        };
    }

    private static AppendEntries ReadAppend(ref ByteReader reader, GroupId group, Term term, NodeId from)
    {
        var round = ReadRound(ref reader);
        var (previous, previousTerm, commit) = (reader.Index(), reader.Term(), reader.Index());
        var entries = new Entry[reader.Count(EntryBytes)];
        var (before, stamp) = (previousTerm, LogTime.Zero);
        for (var i = 0; i < entries.Length; i++)
        {
            var kind = (EntryKind)reader.Byte();
            if (kind is not (EntryKind.NoOp or EntryKind.Voters or EntryKind.Command))
                throw new MalformedParcelException($"entry kind {(byte)kind} is unknown");
            var entry = new Entry(previous + (i + 1), reader.Term(), reader.Stamp(), reader.Long(), kind, reader.Bytes());
            if (entry.Term < before || entry.Term > term)
                throw new MalformedParcelException($"entry {entry.Index} is of term {entry.Term}, between {before} and {term}");
            if (entry.Stamp < stamp)
                throw new MalformedParcelException($"entry {entry.Index} is stamped {entry.Stamp}, after {stamp}");
            if (kind == EntryKind.Voters && !Membership.IsPayload(entry.Payload.Span))
                throw new MalformedParcelException($"entry {entry.Index} does not say who votes");
            if (entry.Payload.Length > RaftGroup.CommandBytesMax)
                throw new MalformedParcelException($"entry {entry.Index} has {entry.Payload.Length} bytes");
            entries[i] = entry;
            (before, stamp) = (entry.Term, entry.Stamp);
        }
        return new AppendEntries(group, term, from, round, previous, previousTerm, commit, entries);
    }

    private static Round ReadRound(ref ByteReader reader) => new(reader.Natural(reader.Long()), new TimeSpan(reader.Natural(reader.Long())));

    private static ImmutableArray<GroupTerm> ReadTerms(ref ByteReader reader)
    {
        var terms = new GroupTerm[reader.Count(GroupTermBytes)];
        for (var i = 0; i < terms.Length; i++)
            terms[i] = new GroupTerm(new GroupId((int)reader.Natural(reader.Int())), reader.Term());
        return [.. terms];
    }
}
