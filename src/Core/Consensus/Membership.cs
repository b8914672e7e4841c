using System.Buffers.Binary;
using System.Collections.Immutable;
using Watch.Core.Storage;

namespace Watch.Core.Consensus;

/// <summary>
/// Who belongs to a group: the payload of an <see cref="EntryKind.Voters"/> entry, in force from that entry on, committed or not. Every
/// group's log begins with one, index 1 in term 1, the same on each of its first voters; later ones stand in the log only.
/// </summary>
/// <remarks>
/// Bytes: without learners, 16 per voter. With learners, the count of voters (4 bytes, little-endian), then 16 per voter and 16 per
/// learner. The length tells which: it is a multiple of 16 in the first case only.
/// </remarks>
/// <param name="Voters">Who elects and commits.</param>
/// <param name="Learners">Who is sent the log and has no say.</param>
public sealed record Membership(ImmutableArray<NodeId> Voters, ImmutableArray<NodeId> Learners)
{
    private const int NodeBytes = 16;
    private const int CountBytes = 4;

    /// <summary>Nobody: what a replica knows before it has its first entry.</summary>
    public static readonly Membership None = new([], []);

    /// <summary>The entry with which every first voter begins the group's log. It carries no time, so that it is the same everywhere.</summary>
    public static Entry FirstEntry(IReadOnlyList<NodeId> voters) =>
        new(LogIndex.None.Next, Term.None.Next, LogTime.Zero, 0, EntryKind.Voters, new Membership([.. voters], []).Encode());

    /// <summary>Whether a node votes.</summary>
    public bool IsVoter(NodeId node) => Voters.Contains(node);

    /// <summary>Whether a node learns.</summary>
    public bool IsLearner(NodeId node) => Learners.Contains(node);

    /// <summary>Voters and learners.</summary>
    public IEnumerable<NodeId> All => Voters.Concat(Learners);

    /// <summary>With one more learner.</summary>
    public Membership WithLearner(NodeId node) => this with { Learners = Learners.Add(node) };

    /// <summary>With a learner made a voter.</summary>
    public Membership WithPromoted(NodeId node) => new(Voters.Add(node), Learners.Remove(node));

    /// <summary>Without a node.</summary>
    public Membership Without(NodeId node) => new(Voters.Remove(node), Learners.Remove(node));

    /// <summary>The payload.</summary>
    public byte[] Encode()
    {
        var counted = Learners.Length > 0;
        var bytes = new byte[(counted ? CountBytes : 0) + (Voters.Length + Learners.Length) * NodeBytes];
        if (counted)
            BinaryPrimitives.WriteInt32LittleEndian(bytes, Voters.Length);
        var at = counted ? CountBytes : 0;
        foreach (var node in All)
        {
            BinaryPrimitives.WriteUInt128LittleEndian(bytes.AsSpan(at), node.Value);
            at += NodeBytes;
        }
        return bytes;
    }

    /// <summary>Whether these bytes are a payload.</summary>
    internal static bool IsPayload(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length % NodeBytes != CountBytes)
            return bytes.Length >= NodeBytes && bytes.Length % NodeBytes == 0;
        return bytes.Length >= NodeBytes && BinaryPrimitives.ReadInt32LittleEndian(bytes) is var voters && voters > 0 && voters <= bytes.Length / NodeBytes;
    }

    /// <summary>Who stands in a payload.</summary>
    public static Membership Decode(ReadOnlySpan<byte> payload)
    {
        var counted = payload.Length % NodeBytes == CountBytes;
        Invariant.That(payload.Length >= NodeBytes && (counted || payload.Length % NodeBytes == 0), "R3: a voters entry names at least one node");
        var voters = counted ? BinaryPrimitives.ReadInt32LittleEndian(payload) : payload.Length / NodeBytes;
        var nodes = payload[(counted ? CountBytes : 0)..];
        Invariant.That(voters > 0 && voters <= nodes.Length / NodeBytes, "R3: a voters entry names at least one voter");
        var all = new NodeId[nodes.Length / NodeBytes];
        for (var i = 0; i < all.Length; i++)
            all[i] = new NodeId(BinaryPrimitives.ReadUInt128LittleEndian(nodes[(i * NodeBytes)..]));
        return new Membership([.. all[..voters]], [.. all[voters..]]);
    }

    /// <summary>As text: voters, then learners behind a plus sign.</summary>
    public override string ToString() => string.Join(' ', Voters) + (Learners.Length > 0 ? " + " + string.Join(' ', Learners) : "");
}

/// <summary>All memberships that stand in a log, so that cutting the log brings the one before back.</summary>
internal sealed class MembershipHistory
{
    private readonly List<(LogIndex Index, Membership Membership)> _entries = [];
    private NodeId? _onlyVoterBefore;

    /// <summary>The memberships in a log behind a snapshot; what the snapshot stands for, it says itself, also where the log still has it.</summary>
    internal MembershipHistory(RaftLog log, SnapshotMembers? snapshot = null, LogIndex upTo = default)
    {
        if (snapshot is not null)
        {
            _entries.Add((snapshot.Index, snapshot.Members));
            _onlyVoterBefore = snapshot.OnlyVoterEver;
        }
        for (var index = LogIndex.Max(log.First, upTo.Next); index <= log.Last; index = index.Next)
            Add(log[index]);
    }

    /// <summary>The one in force.</summary>
    internal Membership Current => _entries.Count == 0 ? Membership.None : _entries[^1].Membership;

    /// <summary>Where it stands.</summary>
    internal LogIndex CurrentIndex => _entries.Count == 0 ? LogIndex.None : _entries[^1].Index;

    /// <summary>The one before it.</summary>
    internal Membership Previous => _entries.Count < 2 ? Membership.None : _entries[^2].Membership;

    /// <summary>Whether nobody but this node ever voted; a snapshot remembers it of what it stands for.</summary>
    internal bool NeverHadVoterBeside(NodeId self) => _entries.Count == 0 || OnlyVoterUpTo(CurrentIndex) == self;

    /// <summary>What a snapshot at an index says of the members; everything up to there is committed.</summary>
    internal SnapshotMembers At(LogIndex index)
    {
        var (at, members) = _entries.FindLast(each => each.Index <= index);
        Invariant.That(members is not null, "R12: who belongs to the group at a committed index is known");
        return new SnapshotMembers(at, members, OnlyVoterUpTo(index));
    }

    /// <summary>Forgets what came before the membership that was in force at an index.</summary>
    internal void ForgetUpTo(LogIndex index)
    {
        var keep = _entries.FindLastIndex(each => each.Index <= index);
        if (keep <= 0)
            return;
        _onlyVoterBefore = OnlyVoterUpTo(_entries[keep - 1].Index);
        _entries.RemoveRange(0, keep);
    }

    internal void Add(Entry entry)
    {
        if (entry.Kind == EntryKind.Voters)
            _entries.Add((entry.Index, Membership.Decode(entry.Payload.Span)));
    }

    /// <summary>Forgets what stood at an index or behind it.</summary>
    internal void CutFrom(LogIndex index) => _entries.RemoveAll(each => each.Index >= index);

    private NodeId OnlyVoterUpTo(LogIndex index)
    {
        var only = _onlyVoterBefore;
        foreach (var (_, membership) in _entries.Where(each => each.Index <= index))
        {
            var voter = membership.Voters is [var one] ? one : NodeId.None;
            only = only is null || only == voter ? voter : NodeId.None;
        }
        return only ?? NodeId.None;
    }
}
