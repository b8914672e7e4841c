using Watch.Core.Consensus;
using Watch.Core.Consensus.Messages;
using Watch.Core.Storage;

namespace Watch.Core.Tests.Consensus;

public sealed class RaftGroupTests
{
    private static readonly NodeId _self = new(1);
    private static readonly GroupId _id = new(3);

    [Fact]
    public void A_vote_counts_when_it_is_durable_and_not_before()
    {
        var group = RaftGroup.Born(_id, _self, [_self], [], 0, Alone);
        group.Start(default);
        Assert.Equal(new RoleChanged(_id, Role.Candidate, new Term(2)), group.TakeRoleChange());
        Assert.True(group.TryTakePersist(1000, out var effect));
        Assert.Equal(new HardState(new Term(2), _self), effect.State);
        Assert.Equal(Role.Candidate, group.Role);
        Assert.False(Propose(group, At(0)).Accepted);

        group.Persisted(effect, At(0));
        Assert.Equal(new RoleChanged(_id, Role.Leader, new Term(2)), group.TakeRoleChange());
    }

    [Fact]
    public void What_came_before_commits_only_with_a_durable_entry_of_the_leaders_own_term()
    {
        var group = RaftGroup.Recovered(_id, _self, Recovered(entries: 3, term: 4), Alone);
        group.Start(default);
        Persist(group);
        Assert.Equal(Role.Leader, group.Role);
        Assert.Equal(LogIndex.None, group.Committed);
        Assert.False(group.LeadsWithOwnTermCommitted);
        Assert.True(group.TakeCommitted().IsEmpty);

        Persist(group);
        Assert.Equal(new LogIndex(4), group.Committed);
        Assert.True(group.LeadsWithOwnTermCommitted);
        var committed = group.TakeCommitted().ToArray();
        Assert.Equal([1, 2, 3, 4], committed.Select(entry => entry.Index.Value));
        Assert.Equal((EntryKind.NoOp, new Term(5)), (committed[3].Kind, committed[3].Term));
        Assert.True(group.TakeCommitted().IsEmpty);
    }

    [Fact]
    public void An_entry_commits_when_it_is_durable()
    {
        var group = Leader();
        var outcome = Propose(group, At(10), 1, 2);
        Assert.True(outcome.Accepted);
        Assert.Equal((group.Last, group.Term), (outcome.First.Next, outcome.Term));
        Assert.True(group.TakeCommitted().IsEmpty);
        Assert.True(group.TryTakePersist(1000, out var effect));
        Assert.True(group.TakeCommitted().IsEmpty);
        Assert.False(group.HasToPersist);

        group.Persisted(effect, At(10));
        Assert.Equal([1, 2], group.TakeCommitted().ToArray().Select(entry => (int)entry.Payload.Span[0]));
    }

    [Fact]
    public void A_leader_takes_no_more_bytes_than_allowed_before_some_are_committed()
    {
        var group = Leader(new RaftOptions { UncommittedBytesMax = 3 });
        Assert.True(Propose(group, At(0), 1, 2).Accepted);
        Assert.True(Propose(group, At(0), 3, 4).Accepted);
        Assert.Equal(ProposeRefusal.Busy, Propose(group, At(0), 5).Refusal);

        Persist(group);
        Assert.True(Propose(group, At(0), 6).Accepted);
    }

    [Fact]
    public void What_does_not_fit_is_taken_the_next_time_and_one_entry_always_fits()
    {
        var group = Leader();
        Propose(group, At(0), 1, 2, 3);
        Assert.True(group.TryTakePersist(1, out var first));
        Assert.Equal(1, first.Entries.Length);
        Assert.True(group.TryTakePersist(2 * LogBatch.BytesOf(first.Entries.Span[0]), out var rest));
        Assert.Equal(2, rest.Entries.Length);
        Assert.False(group.TryTakePersist(1000, out _));
    }

    [Fact]
    public void Log_time_goes_on_by_the_monotonic_clock_whatever_the_wall_clock_does()
    {
        var group = RaftGroup.Recovered(_id, _self, Recovered(entries: 3, term: 4, stampMs: 70_000), Alone);
        group.Start(default);
        Persist(group, At(5_000));
        var stamps = new List<long> { group.LastStamp.Value };
        foreach (var (monotonicMs, wallMs) in new (int, long)[] { (5_010, 1_000_000), (5_010, 0), (4_000, 9_999_999), (5_250, -50), (65_000, 5) })
        {
            Propose(group, new Moment(TimeSpan.FromMilliseconds(monotonicMs), wallMs), 1);
            stamps.Add(group.LastStamp.Value);
        }
        Assert.Equal([70_000, 70_010, 70_010, 70_010, 70_250, 130_000], stamps);
        Assert.Equal([5_000, 1_000_000, 0, 9_999_999, -50, 5], Take(group).Select(entry => entry.WallTimeMs));
    }

    [Fact]
    public void Log_time_never_falls_under_random_clocks()
    {
        const int Seed = 17;
        var random = new Random(Seed);
        var group = Leader();
        var last = group.LastStamp;
        for (var i = 0; i < 2000; i++)
        {
            Propose(group, new Moment(TimeSpan.FromMilliseconds(random.Next(-1000, 100_000) + random.NextDouble()), random.NextInt64()), 1);
            Assert.True(group.LastStamp >= last, $"seed {Seed}, step {i}: {group.LastStamp} after {last}");
            last = group.LastStamp;
        }
    }

    [Fact]
    public void A_group_with_other_voters_waits_before_it_asks_whether_it_would_be_elected()
    {
        var group = RaftGroup.Born(_id, _self, [_self, new NodeId(2)], [], 0, Alone);
        group.Start(At(0));
        Assert.Equal((Role.Follower, TimeSpan.FromMilliseconds(0)), (group.Role, group.Deadline));
        group.Tick(At(0));
        Assert.Equal((Role.PreCandidate, new Term(1)), (group.Role, group.Term));
    }

    /// <summary>A follower that has come to the leader's new term may still answer what the leader asked in an older one: it stood by nobody then.</summary>
    [Fact]
    public void An_answer_to_a_round_from_before_it_led_or_from_another_life_counts_for_nothing()
    {
        var other = new NodeId(2);
        var rounds = new Rounds();
        var earlier = rounds.Begin(At(10));
        var group = LeaderOfThree(rounds, At(20));
        Assert.True(group.HearAnswer(other, group.Term, earlier, At(21)));
        Assert.Equal([_self], group.HeardLately(At(21)));

        Assert.True(group.HearAnswer(other, group.Term, new Round(77, TimeSpan.FromMilliseconds(21)), At(21)));
        Assert.Equal([_self], group.HeardLately(At(21)));

        var asked = rounds.Begin(At(22));
        Assert.True(group.HearAnswer(other, group.Term, asked with { BeganAt = TimeSpan.FromHours(1) }, At(23)));
        Assert.Equal([_self], group.HeardLately(At(23)));

        Assert.True(group.HearAnswer(other, group.Term, asked, At(23)));
        Assert.Equal([_self, other], group.HeardLately(At(23)));
    }

    [Fact]
    public void Rounds_of_two_lives_have_no_number_in_common()
    {
        var (first, second) = (new Rounds(0x1234_5678_9ABC_DEF0), new Rounds(ulong.MaxValue));
        var (one, other) = (first.Begin(At(1)), second.Begin(At(1)));
        Assert.Equal(1, first.Begin(At(2)).Number - one.Number);
        Assert.True(Math.Abs(one.Number - other.Number) > 1L << 50);
        var parcel = new Parcel(_self, [new Heartbeat(_self, other, [])]);
        Assert.Equal(other, ((Heartbeat)ParcelCodec.Decode(ParcelCodec.Encode(parcel)).Messages[0]).Round);
    }

    [Fact]
    public void A_learner_is_promoted_when_it_has_what_its_leader_found()
    {
        var (other, learner) = (new NodeId(2), new NodeId(4));
        var rounds = new Rounds();
        var group = LeaderOfThree(rounds, At(20));
        Acknowledge(other);
        Assert.Equal(MembershipOutcome.Appended, group.Change(new MembershipChange(MembershipChangeKind.AddLearner, learner), At(21)));
        Persist(group, At(21));
        Acknowledge(other);
        var promote = new MembershipChange(MembershipChangeKind.Promote, learner);
        // It lacks less than it may lack, but has nothing yet: not even, in the system group, how long promises last.
        group.Step(new AppendAnswer(_id, group.Term, learner, rounds.Current, true, LogIndex.None, LogIndex.None, Term.None, LogIndex.None), At(22));
        Assert.Equal(MembershipOutcome.NotCaughtUp, group.Change(promote, At(22)));

        Acknowledge(learner);
        Assert.Equal(MembershipOutcome.Appended, group.Change(promote, At(22)));

        void Acknowledge(NodeId node) =>
            group.Step(new AppendAnswer(_id, group.Term, node, rounds.Begin(At(21)), true, group.Last, LogIndex.None, Term.None, LogIndex.None), At(21));
    }

    [Fact]
    public void An_over_long_command_is_refused_and_nothing_is_appended()
    {
        var group = Leader();
        var last = group.Last;
        Assert.Throws<ArgumentException>(() => group.Propose([new byte[1], new byte[RaftGroup.CommandBytesMax + 1]], At(0)));
        Assert.Equal(last, group.Last);
    }

    [Fact]
    public void A_recovered_log_replaces_from_a_repeated_index_on_and_has_no_gap()
    {
        var log = Recovering((1, 1), (2, 1), (3, 1), (2, 2));
        Assert.Throws<InvariantViolationException>(() => log.OnEntry(_id, EntryOf(4, 2)));
        log.OnHardState(_id, new HardState(new Term(5), _self));
        Assert.Throws<InvariantViolationException>(() => log.OnHardState(_id, new HardState(new Term(4), _self)));
        Assert.Equal((new LogIndex(2), new Term(2)), (log.Groups[_id].Log.Last, log.Groups[_id].Log.LastTerm));
        Assert.Throws<InvariantViolationException>(() => log.OnEntry(_id, EntryOf(3, 2)));
        Assert.Throws<InvariantViolationException>(() => Recovering((1, 1), (2, 2), (3, 1)).Groups);

        static RecoveredLog Recovering(params (int Index, int Term)[] entries)
        {
            var log = new RecoveredLog();
            foreach (var (index, term) in entries)
                log.OnEntry(_id, EntryOf(index, term));
            return log;
        }
    }

    [Fact]
    public void Slices_that_were_handed_out_stay_what_they_were()
    {
        var log = new RaftLog();
        for (var i = 1; i <= 5; i++)
            log.Put(EntryOf(i, 1));
        var slice = log.Slice(LogIndex.None, new LogIndex(5));
        log.Put(EntryOf(2, 2));
        for (var i = 3; i <= 40; i++)
            log.Put(EntryOf(i, 2));
        Assert.All(slice.ToArray(), entry => Assert.Equal(new Term(1), entry.Term));
    }

    private static GroupContext Alone => new(new RaftOptions(), new Rounds(), () => 0);

    private static RaftGroup Leader(RaftOptions? options = null)
    {
        var group = RaftGroup.Born(_id, _self, [_self], [], 0, options is null ? Alone : new GroupContext(options, new Rounds(), () => 0));
        group.Start(default);
        Persist(group);
        Persist(group);
        group.TakeCommitted();
        return group;
    }

    private static RaftGroup LeaderOfThree(Rounds rounds, Moment now)
    {
        var other = new NodeId(2);
        var group = RaftGroup.Born(_id, _self, [_self, other, new NodeId(3)], [], 0, new GroupContext(new RaftOptions(), rounds, () => 0));
        Persist(group, now);
        group.Start(now);
        group.Tick(now);
        group.Step(new PreVoteAnswer(_id, group.Term, other, group.Term.Next, true), now);
        Persist(group, now);
        group.Step(new VoteAnswer(_id, group.Term, other, true), now);
        Assert.Equal(Role.Leader, group.Role);
        Persist(group, now);
        return group;
    }

    private static void Persist(RaftGroup group, Moment now = default)
    {
        Assert.True(group.TryTakePersist(int.MaxValue, out var effect));
        group.Persisted(effect, now);
    }

    private static Entry[] Take(RaftGroup group)
    {
        Assert.True(group.TryTakePersist(int.MaxValue, out var effect));
        return effect.Entries.ToArray();
    }

    private static ProposeOutcome Propose(RaftGroup group, Moment now, params byte[] commands) =>
        group.Propose([.. commands.Select(command => (ReadOnlyMemory<byte>)new[] { command })], now);

    private static Moment At(int ms) => new(TimeSpan.FromMilliseconds(ms), ms);

    private static Entry EntryOf(int index, int term) =>
        new(new LogIndex(index), new Term(term), LogTime.Zero, 0, EntryKind.Command, new byte[] { 1 });

    private static RecoveredGroup Recovered(int entries, int term, long stampMs = 0)
    {
        var log = new RecoveredLog();
        log.OnEntry(_id, Membership.FirstEntry([_self]));
        for (var i = 2; i <= entries; i++)
            log.OnEntry(_id, EntryOf(i, term) with { Stamp = new LogTime(stampMs) });
        log.OnHardState(_id, new HardState(new Term(term), _self));
        return log.Groups[_id];
    }
}
