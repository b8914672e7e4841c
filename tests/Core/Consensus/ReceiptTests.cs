using Watch.Core.Consensus;
using Watch.Core.Consensus.Messages;
using Watch.Core.Storage;

namespace Watch.Core.Tests.Consensus;

/// <summary>What becomes of a snapshot that is received in part, and of the places that transfers take.</summary>
public sealed class ReceiptTests
{
    private static readonly NodeId _self = new(1);
    private static readonly NodeId _leader = new(2);
    private static readonly NodeId _other = new(5);
    private static readonly GroupId _id = new(3);
    private static readonly Moment _now = new(TimeSpan.FromSeconds(9), 0);

    [Fact]
    public void A_late_chunk_of_the_snapshot_before_leaves_the_one_that_is_under_way_alone()
    {
        var group = Follower();
        Write(group, Part(index: 20, chunk: 0));
        Assert.Equal((20, 1), NextOf(group));
        group.Step(Part(index: 10, chunk: 1), _now);
        group.Step(Part(index: 10, chunk: 0), _now);
        Assert.Empty(Sent(group));
        Assert.False(group.TryTakeWork(out _));
        Write(group, Part(index: 20, chunk: 1));
        Assert.Equal((20, 2), NextOf(group));

        // A newer one takes its place, and so does an older one of another leader.
        Write(group, Part(index: 30, chunk: 0));
        Assert.Equal((30, 1), NextOf(group));
        Write(group, Part(index: 20, chunk: 0) with { From = _other, Term = new Term(4) });
        Assert.Equal((20, 1), NextOf(group));
    }

    [Fact]
    public void What_was_received_is_dropped_when_the_log_has_passed_it()
    {
        var group = Follower();
        Write(group, Part(index: 4, chunk: 0));
        group.Step(Append(_leader, 3, upTo: 3), _now);
        Assert.False(group.TryTakeWork(out _));
        group.Step(Append(_leader, 3, upTo: 4), _now);
        Assert.Equal(new LogIndex(4), Dropped(group).Index);
        Assert.False(group.TryTakeWork(out _));
    }

    [Fact]
    public void What_was_received_is_dropped_when_another_leader_sends_entries()
    {
        var group = Follower();
        Write(group, Part(index: 20, chunk: 0));
        group.Step(Append(_leader, 3, upTo: 2), _now);
        Assert.False(group.TryTakeWork(out _));
        group.Step(Append(_other, 4, upTo: 2), _now);
        Assert.Equal(new LogIndex(20), Dropped(group).Index);
    }

    [Fact]
    public void What_is_at_the_disk_is_dropped_behind_it()
    {
        var group = Follower();
        group.Step(Part(index: 20, chunk: 0), _now);
        Assert.True(group.TryTakeWork(out var work));
        group.Step(Append(_other, 4, upTo: 2), _now);
        Assert.False(group.TryTakeWork(out _));
        group.ChunkWritten((SnapshotWork.Write)work, kept: false, _now);
        Assert.Equal(new LogIndex(20), Dropped(group).Index);
        // What its sender sends then begins anew.
        Sent(group);
        group.Step(Part(index: 20, chunk: 1) with { Term = new Term(5) }, _now);
        Assert.Equal((20, 0), NextOf(group));
    }

    [Fact]
    public void A_chunk_that_was_refused_begins_the_snapshot_anew()
    {
        var group = Follower();
        Write(group, Part(index: 20, chunk: 0));
        Sent(group);
        group.Step(Part(index: 20, chunk: 1), _now);
        Assert.True(group.TryTakeWork(out var work));
        group.ChunkRefused((SnapshotWork.Write)work);
        Assert.Equal((20, SnapshotAnswer.Refused), NextOf(group));
        group.Step(Part(index: 20, chunk: 1), _now);
        Assert.Equal((20, 0), NextOf(group));
    }

    [Fact]
    public void Whoever_asked_first_gets_the_next_free_place_and_whoever_asks_no_more_holds_nobody_up()
    {
        var slots = new TransferSlots();
        Assert.True(Takes(slots, 1, 0));
        Assert.False(Takes(slots, 2, 0));
        Assert.False(Takes(slots, 3, 0));
        slots.Give(new GroupId(1), _other);
        Assert.False(Takes(slots, 3, 1));                                // the second one comes first
        Assert.True(Takes(slots, 2, 2));
        Assert.False(Takes(slots, 4, 3));
        slots.Give(new GroupId(2), _other);
        Assert.False(Takes(slots, 4, 4));
        Assert.True(Takes(slots, 4, 12));                                // the third one has not asked since
    }

    [Fact]
    public void A_transfer_whose_snapshot_is_gone_gives_its_place_back()
    {
        var context = Context();
        var log = new RecoveredLog();
        var members = new SnapshotMembers(new LogIndex(1), new Membership([_self], [_other]), _self);
        var info = new SnapshotInfo(_id, new LogIndex(5), new Term(2), LogTime.Zero, members.Encode());
        log.OnHardState(_id, new HardState(new Term(2), NodeId.None));
        var group = RaftGroup.Recovered(_id, _self, new RecoveredGroup(new RaftLog(info.Index, info.Term, info.Stamp), new HardState(new Term(2), NodeId.None), info, LacksBase: false), context);
        group.Start(_now);
        Persist(group);
        group.Flush(_now);
        group.Step(new AppendAnswer(_id, group.Term, _other, new Round(1, TimeSpan.Zero), false, new LogIndex(5), LogIndex.None, Term.None, LogIndex.None), _now);
        group.Flush(_now);
        Assert.True(group.TryTakeWork(out var work));
        Assert.Equal(1, context.Transfers.Taken);
        group.Leading!.ChunkRead((SnapshotWork.Read)work, null, false, _now);
        Assert.Equal(0, context.Transfers.Taken);
    }

    [Fact]
    public void What_a_node_was_built_from_holds_nothing_any_more()
    {
        var log = new RecoveredLog();
        log.OnEntry(_id, Membership.FirstEntry([_self]));
        log.OnHardState(_id, new HardState(new Term(1), NodeId.None));
        var node = new Node(new NodeIdentity("n", _self), log, new RaftOptions(), () => 0);
        Assert.True(node.Groups.ContainsKey(_id));
        Assert.Empty(log.Groups);
        Assert.Null(log.Catalogue);
    }

    [Fact]
    public void A_catalogue_that_is_cut_or_changed_is_told_from_one()
    {
        var catalogue = new Catalogue();
        foreach (var command in Birth.FirstCommands(42, 9000, 500, "a", _self))
            catalogue.Apply(command);
        var bytes = CatalogueSnapshot.Encode(catalogue);
        Assert.True(CatalogueSnapshot.IsOne(bytes));
        Assert.True(CatalogueSnapshot.IsOne(default));
        var refused = 0;
        for (var at = 1; at < bytes.Length; at++)
            refused += CatalogueSnapshot.IsOne(bytes.AsMemory(0, at)) ? 0 : 1;
        Assert.InRange(refused, bytes.Length - 4, bytes.Length);         // between two commands it ends as if it were whole
        for (var bit = 0; bit < bytes.Length * 8; bit++)
        {
            var flipped = (byte[])bytes.Clone();
            flipped[bit / 8] ^= (byte)(1 << (bit % 8));
            CatalogueSnapshot.IsOne(flipped);                            // whatever it is, it is an answer
        }
    }

    private static bool Takes(TransferSlots slots, int group, int seconds) =>
        slots.TryTake(new GroupId(group), _other, 1, TimeSpan.FromSeconds(seconds), TimeSpan.FromSeconds(10));

    private static void Write(RaftGroup group, InstallSnapshot part)
    {
        group.Step(part, _now);
        Persist(group);
        Assert.True(group.TryTakeWork(out var work));
        group.ChunkWritten((SnapshotWork.Write)work, kept: false, _now);
    }

    private static void Persist(RaftGroup group)
    {
        while (group.TryTakePersist(1 << 20, out var effect))
            group.Persisted(effect, _now);
    }

    private static SnapshotInfo Dropped(RaftGroup group)
    {
        Assert.True(group.TryTakeWork(out var work));
        return Assert.IsType<SnapshotWork.Drop>(work).Snapshot;
    }

    private static (int Index, int Next) NextOf(RaftGroup group)
    {
        Persist(group);
        var answer = Sent(group).OfType<SnapshotAnswer>().Last();
        return ((int)answer.Index.Value, answer.Next);
    }

    private static RaftGroup Follower()
    {
        var log = new RecoveredLog();
        log.OnEntry(_id, Membership.FirstEntry([_self, _leader, _other]));
        for (var index = 2; index <= 5; index++)
            log.OnEntry(_id, new Entry(new LogIndex(index), new Term(2), LogTime.Zero, 0, EntryKind.Command, new byte[] { 1 }));
        log.OnHardState(_id, new HardState(new Term(3), NodeId.None));
        var group = RaftGroup.Recovered(_id, _self, log.Groups[_id], Context());
        group.Start(_now);
        group.Step(Append(_leader, 3, upTo: 2), _now);
        Sent(group);
        return group;
    }

    private static GroupContext Context() => new(new RaftOptions(), new Rounds(), () => 0);

    /// <summary>An append without entries, which verifies and commits up to an index.</summary>
    private static AppendEntries Append(NodeId from, int term, int upTo) =>
        new(_id, new Term(term), from, new Round(1, TimeSpan.Zero), new LogIndex(upTo), new Term(upTo == 1 ? 1 : 2), new LogIndex(upTo), default);

    private static List<Message> Sent(RaftGroup group)
    {
        var sent = new List<Message>();
        group.Release((_, message) => sent.Add(message));
        return sent;
    }

    private static InstallSnapshot Part(int index, int chunk) =>
        new(_id, new Term(3), _leader, new Round(2, TimeSpan.Zero), Info(index), chunk, false, new byte[] { 1 });

    private static SnapshotInfo Info(int index) =>
        new(_id, new LogIndex(index), new Term(2), LogTime.Zero, new SnapshotMembers(new LogIndex(1), new Membership([_self, _leader, _other], []), NodeId.None).Encode());
}
