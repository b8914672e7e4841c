using Watch.Core.Consensus;
using Watch.Core.Consensus.Messages;
using Watch.Core.Storage;

namespace Watch.Core.Tests.Consensus;

public sealed class SnapshotTests
{
    private static readonly NodeId _self = new(1);
    private static readonly NodeId _leader = new(2);
    private static readonly GroupId _id = new(3);
    private static readonly Moment _now = new(TimeSpan.FromSeconds(9), 0);

    [Fact]
    public void A_snapshot_never_takes_a_replica_back_behind_what_it_committed()
    {
        var group = Follower(SafetyRules.Raft, entries: 5);
        Install(group, index: 3);
        Assert.Equal((new LogIndex(5), new LogIndex(5)), (group.Committed, group.Last));
        Assert.Null(group.TakeInstalled());

        // The same with the rule broken: what was committed is gone.
        var broken = Follower(new BrokenRules.InstallOlder(), entries: 5);
        Install(broken, index: 3);
        Assert.True(broken.Last < new LogIndex(5));
    }

    [Fact]
    public void A_snapshot_at_which_the_log_agrees_leaves_the_log_as_it_is()
    {
        var group = Follower(SafetyRules.Raft, entries: 5, committed: 2);
        Install(group, index: 4);
        Assert.Equal((new LogIndex(4), new LogIndex(5)), (group.Committed, group.Last));
        Assert.Null(group.TakeInstalled());
        Assert.False(group.HasToPersist);
    }

    [Fact]
    public void A_snapshot_at_which_the_log_does_not_agree_takes_its_place_and_the_disk_is_told_first()
    {
        var group = Follower(SafetyRules.Raft, entries: 5, committed: 2);
        Install(group, index: 4, term: 3);
        Assert.Equal((new LogIndex(4), new LogIndex(4)), (group.Committed, group.Last));
        Assert.Equal(new LogIndex(4), group.TakeInstalled()!.Info.Index);
        Assert.True(group.TryTakePersist(1000, out var effect));
        Assert.Equal(new LogBase(new LogIndex(4), new Term(3), Keeps: false), effect.Base);
    }

    [Fact]
    public void Chunks_are_taken_in_order_and_whoever_sends_another_is_told_which_one_is_needed()
    {
        var group = Follower(SafetyRules.Raft, entries: 1, committed: 1);
        group.Step(Part(index: 9, chunk: 1, isLast: false), _now);
        Assert.Equal(0, Assert.IsType<SnapshotAnswer>(Assert.Single(Sent(group))).Next);
        group.Step(Part(index: 9, chunk: 0, isLast: false), _now);
        group.Step(Part(index: 9, chunk: 0, isLast: false), _now);
        Assert.Empty(Sent(group));                                       // not before it is written
        Assert.True(group.TryTakeWork(out var work));
        Assert.False(group.TryTakeWork(out _));
        group.ChunkWritten((SnapshotWork.Write)work, kept: false, _now);
        Assert.Equal(1, Assert.IsType<SnapshotAnswer>(Assert.Single(Sent(group))).Next);
    }

    [Fact]
    public void What_lies_behind_a_snapshot_counts_only_where_the_log_agrees_with_it()
    {
        Assert.Equal((7, false), Recovered(snapshotTerm: 2, (4, 2), (5, 2), (6, 2), (7, 2)));
        Assert.Equal((5, true), Recovered(snapshotTerm: 3, (4, 2), (5, 2), (6, 2), (7, 2)));
        Assert.Equal((5, true), Recovered(snapshotTerm: 2, (3, 2), (4, 2)));
        Assert.Equal((5, true), Recovered(snapshotTerm: 2, (4, 1), (5, 1), (6, 1), (4, 2)));
        Assert.Equal((6, false), Recovered(snapshotTerm: 2, (4, 1), (5, 1), (6, 1), (7, 1), (5, 2), (6, 2)));
    }

    [Fact]
    public void Of_what_a_snapshot_stands_for_the_last_entries_stay_within_limits_through_a_restart()
    {
        (int, int)[] entries = [(1, 1), (2, 1), (3, 2), (4, 2), (5, 2), (6, 2)];
        Assert.Equal((2, 6), Range(Recovering(2, new RaftOptions(), entries)));                      // the first one is what the others follow
        Assert.Equal((4, 6), Range(Recovering(2, new RaftOptions { SnapshotTailEntries = 2 }, entries)));
        Assert.Equal((6, 6), Range(Recovering(2, new RaftOptions { SnapshotTailEntries = 0 }, entries)));
        Assert.Equal((5, 6), Range(Recovering(2, new RaftOptions { SnapshotTailBytes = LogBatch.BytesOf(Entry(1, 1)) }, entries)));
        // What was replaced, and what does not agree with the snapshot, is none of it.
        Assert.Equal((4, 5), Range(Recovering(2, new RaftOptions(), (1, 1), (2, 1), (3, 1), (4, 1), (5, 1), (3, 2), (4, 2), (5, 2))));
        Assert.Equal((6, 5), Range(Recovering(3, new RaftOptions(), entries)));
        // Nor what stands before the word that it is void.
        var log = Recovering(2, new RaftOptions(), entries[..5]);
        log.OnBase(_id, new LogBase(new LogIndex(5), new Term(2), Keeps: false));
        Assert.Equal((6, 5), Range(log));

        var group = RaftGroup.Recovered(_id, _self, Recovering(2, new RaftOptions(), entries).Groups[_id], Context(SafetyRules.Raft));
        Assert.Equal((new LogIndex(5), new LogIndex(5), new LogIndex(6)), (group.Committed, group.HandedOut, group.Durable));
        Assert.Equal(new LogIndex(2), group.Log.First);
    }

    private static (int First, int Last) Range(RecoveredLog log) => ((int)log.Groups[_id].Log.First.Value, (int)log.Groups[_id].Log.Last.Value);

    [Fact]
    public void A_base_tells_new_entries_from_void_ones()
    {
        var log = Recovering(snapshotTerm: 3, (4, 2), (5, 2), (6, 2));
        log.OnBase(_id, new LogBase(new LogIndex(5), new Term(3), Keeps: false));
        log.OnEntry(_id, Entry(6, 4));
        Assert.Equal((new LogIndex(6), new Term(4), false), (log.Groups[_id].Log.Last, log.Groups[_id].Log.LastTerm, log.Groups[_id].LacksBase));
    }

    [Fact]
    public void A_log_that_begins_behind_a_snapshot_that_is_not_there_is_damage()
    {
        var gap = new RecoveredLog();
        gap.OnEntry(_id, Entry(8, 2));
        Assert.Contains("0000000003-00000000000000000007.snap", Assert.Throws<SnapshotDamagedException>(gap.OnEnd).Message, StringComparison.Ordinal);

        var based = Recovering(snapshotTerm: 2, (5, 2));
        based.OnBase(_id, new LogBase(new LogIndex(9), new Term(2), Keeps: true));
        Assert.Throws<SnapshotDamagedException>(based.OnEnd);
    }

    [Theory]
    [InlineData(1, 1, true)]
    [InlineData(1, 0, false)]
    [InlineData(2, 2, false)]
    public void A_node_that_ever_had_others_beside_it_waits_for_a_promise_that_it_may_have_made(int voter, int onlyVoterEver, bool leadsAtOnce)
    {
        var members = new SnapshotMembers(new LogIndex(1), new Membership([new NodeId((UInt128)voter)], [_self]), new NodeId((UInt128)onlyVoterEver));
        var info = new SnapshotInfo(_id, new LogIndex(5), new Term(2), LogTime.Zero, members.Encode());
        var recovered = new RecoveredGroup(new RaftLog(info.Index, info.Term, info.Stamp), new HardState(new Term(2), NodeId.None), info, LacksBase: false);
        var group = RaftGroup.Recovered(_id, _self, recovered, Context(SafetyRules.Raft));
        group.Start(_now);
        Assert.Equal(leadsAtOnce, group.Role is Role.Candidate or Role.Leader);
    }

    [Fact]
    public void Members_that_a_snapshot_stands_for_are_remembered()
    {
        var log = new RaftLog();
        log.Put(Membership.FirstEntry([_self]));
        log.Put(Voters(2, [_self, _leader]));
        log.Put(Voters(3, [_self]));
        var whole = new MembershipHistory(log);
        Assert.False(whole.NeverHadVoterBeside(_self));
        Assert.Equal(_self, whole.At(new LogIndex(1)).OnlyVoterEver);
        var at = SnapshotMembers.Decode(whole.At(new LogIndex(3)).Encode());
        Assert.Equal((new LogIndex(3), NodeId.None), (at.Index, at.OnlyVoterEver));

        whole.ForgetUpTo(new LogIndex(3));
        Assert.False(whole.NeverHadVoterBeside(_self));
        Assert.False(new MembershipHistory(new RaftLog(new LogIndex(3), new Term(1), LogTime.Zero), at).NeverHadVoterBeside(_self));
    }

    [Fact]
    public void A_catalogue_survives_its_snapshot_and_groups_that_it_names_begin()
    {
        var catalogue = new Catalogue();
        foreach (var command in Birth.FirstCommands(42, 9000, 500, "a", _self))
            catalogue.Apply(command);
        var bytes = CatalogueSnapshot.Encode(catalogue);
        Assert.Equal(bytes, CatalogueSnapshot.Encode(CatalogueSnapshot.Decode(bytes, default)));

        var fs = new Storage.MemoryFileSystem();
        fs.CreateFolder("s");
        var members = new SnapshotMembers(new LogIndex(1), new Membership([_self], []), _self).Encode();
        var info = new SnapshotInfo(GroupId.System, new LogIndex(4), new Term(1), LogTime.Zero, members);
        var store = SnapshotStore.Open(fs, "s", _self);
        using (var writer = store.Begin(info, received: false))
        {
            writer.Write(bytes);
            writer.Complete();
        }
        var recovered = new RecoveredLog();
        using (var reader = store.Read(info)!)
            recovered.OnSnapshot(reader);
        var node = new Node(new NodeIdentity("a", _self), recovered, new RaftOptions(), () => 0);
        Assert.Equal((UInt128)42, node.Incarnation);
        Assert.Equal(new LogIndex(4), node.CatalogueApplied);
        node.Start(_now);
        Assert.True(node.Groups.ContainsKey(GroupId.Default));
    }

    private static (int Last, bool LacksBase) Recovered(int snapshotTerm, params (int Index, int Term)[] entries)
    {
        var group = Recovering(snapshotTerm, entries).Groups[_id];
        return ((int)group.Log.Last.Value, group.LacksBase);
    }

    /// <summary>A log whose group has a snapshot at 5.</summary>
    private static RecoveredLog Recovering(int snapshotTerm, params (int Index, int Term)[] entries) => Recovering(snapshotTerm, new RaftOptions(), entries);

    private static RecoveredLog Recovering(int snapshotTerm, RaftOptions options, params (int Index, int Term)[] entries)
    {
        var fs = new Storage.MemoryFileSystem();
        fs.CreateFolder("s");
        var store = SnapshotStore.Open(fs, "s", _self);
        using (var writer = store.Begin(Info(5, snapshotTerm), received: true))
            writer.Complete();
        var log = new RecoveredLog(options);
        using (var reader = store.Read(Info(5, snapshotTerm))!)
            log.OnSnapshot(reader);
        foreach (var (index, term) in entries)
            log.OnEntry(_id, Entry(index, term));
        return log;
    }

    private static void Install(RaftGroup group, int index, int term = 2)
    {
        group.Step(Part(index, chunk: 0, isLast: true, term), _now);
        if (group.TryTakeWork(out var work))
            group.ChunkWritten((SnapshotWork.Write)work, kept: true, _now);
    }

    private static RaftGroup Follower(SafetyRules rules, int entries, int committed = 5)
    {
        var log = new RecoveredLog();
        log.OnEntry(_id, Membership.FirstEntry([_self, _leader, new NodeId(5)]));
        for (var i = 2; i <= entries; i++)
            log.OnEntry(_id, Entry(i, 2));
        log.OnHardState(_id, new HardState(new Term(3), NodeId.None));
        var group = RaftGroup.Recovered(_id, _self, log.Groups[_id], Context(rules));
        group.Start(_now);
        group.Step(new AppendEntries(_id, new Term(3), _leader, new Round(1, TimeSpan.Zero), new LogIndex(entries), new Term(entries > 1 ? 2 : 1), new LogIndex(Math.Min(committed, entries)), default), _now);
        group.TakeCommitted();
        Sent(group);
        return group;
    }

    private static GroupContext Context(SafetyRules rules) => new(new RaftOptions(), new Rounds(), () => 0) { Rules = rules };

    private static List<Message> Sent(RaftGroup group)
    {
        var sent = new List<Message>();
        group.Release((_, message) => sent.Add(message));
        return sent;
    }

    private static InstallSnapshot Part(int index, int chunk, bool isLast, int term = 2) =>
        new(_id, new Term(3), _leader, new Round(2, TimeSpan.Zero), Info(index, term), chunk, isLast, new byte[] { 1 });

    private static SnapshotInfo Info(int index, int term) =>
        new(_id, new LogIndex(index), new Term(term), LogTime.Zero, new SnapshotMembers(new LogIndex(1), new Membership([_self, _leader, new NodeId(5)], []), NodeId.None).Encode());

    private static Entry Entry(int index, int term) => new(new LogIndex(index), new Term(term), LogTime.Zero, 0, EntryKind.Command, new byte[] { 1 });

    private static Entry Voters(int index, NodeId[] voters) =>
        new(new LogIndex(index), new Term(1), LogTime.Zero, 0, EntryKind.Voters, new Membership([.. voters], []).Encode());
}
