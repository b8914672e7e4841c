using Watch.Core.Consensus;
using Watch.Core.Consensus.Messages;
using Watch.Core.Storage;

namespace Watch.Core.Tests.Consensus;

public sealed class FollowerTests
{
    private static readonly NodeId _self = new(1);
    private static readonly NodeId _leader = new(2);
    private static readonly GroupId _id = new(3);
    private static readonly Moment _now = new(TimeSpan.FromSeconds(9), 0);

    [Fact]
    public void The_commit_index_follows_only_as_far_as_a_message_has_verified_the_log()
    {
        var group = Follower(entries: 5, term: 2);
        group.Step(Append(term: 3, previous: 2, previousTerm: 2, commit: 5), _now);
        Assert.Equal(new LogIndex(2), group.Committed);
    }

    [Fact]
    public void What_conflicts_is_cut_and_what_agrees_is_kept()
    {
        var group = Follower(entries: 5, term: 2);
        group.Step(Append(term: 3, previous: 2, previousTerm: 2, commit: 0, Entry(3, 2)), _now);
        Assert.Equal(new LogIndex(5), group.Last);
        group.Step(Append(term: 3, previous: 3, previousTerm: 2, commit: 0, Entry(4, 3)), _now);
        Assert.Equal((new LogIndex(4), new LogIndex(3)), (group.Last, group.Durable));
    }

    [Fact]
    public void An_append_is_acknowledged_when_the_disk_has_it()
    {
        var group = Follower(entries: 1, term: 1);
        group.Step(Append(term: 3, previous: 1, previousTerm: 1, commit: 0, Entry(2, 3)), _now);
        Assert.Empty(Sent(group));
        Assert.True(group.TryTakePersist(1000, out var effect));
        Assert.Empty(Sent(group));
        group.Persisted(effect, _now);
        var answer = Assert.IsType<AppendAnswer>(Assert.Single(Sent(group)));
        Assert.Equal((true, new LogIndex(2)), (answer.Accepted, answer.Index));
    }

    [Fact]
    public void What_was_replaced_while_the_disk_wrote_it_is_not_taken_for_durable()
    {
        var group = Follower(entries: 1, term: 1);
        group.Step(Append(term: 3, previous: 1, previousTerm: 1, commit: 0, Entry(2, 3), Entry(3, 3)), _now);
        Assert.True(group.TryTakePersist(1000, out var effect));
        group.Step(Append(term: 4, previous: 1, previousTerm: 1, commit: 0, Entry(2, 4), Entry(3, 4)) with { From = new NodeId(5) }, _now);
        group.Persisted(effect, _now);
        Assert.Equal(new LogIndex(1), group.Durable);
        Assert.Empty(Sent(group));
    }

    [Fact]
    public void To_cut_what_is_committed_stops_the_replica()
    {
        var group = Follower(entries: 3, term: 2);
        group.Step(Append(term: 3, previous: 3, previousTerm: 2, commit: 3), _now);
        Assert.Throws<InvariantViolationException>(() => group.Step(Append(term: 3, previous: 1, previousTerm: 1, commit: 3, Entry(2, 3)), _now));
    }

    [Fact]
    public void Two_leaders_in_one_term_stop_the_replica()
    {
        var group = Follower(entries: 3, term: 2);
        group.Step(Append(term: 3, previous: 3, previousTerm: 2, commit: 3), _now);
        Assert.Throws<InvariantViolationException>(() => group.Step(Append(term: 3, previous: 3, previousTerm: 2, commit: 3) with { From = new NodeId(5) }, _now));
    }

    private static List<Message> Sent(RaftGroup group)
    {
        var sent = new List<Message>();
        group.Release((_, message) => sent.Add(message));
        return sent;
    }

    private static RaftGroup Follower(int entries, int term)
    {
        var log = new RecoveredLog();
        log.OnEntry(_id, Membership.FirstEntry([_self, _leader, new NodeId(5)]));
        for (var i = 2; i <= entries; i++)
            log.OnEntry(_id, Entry(i, term));
        log.OnHardState(_id, new HardState(new Term(term), NodeId.None));
        var group = RaftGroup.Recovered(_id, _self, log.Groups[_id], new GroupContext(new RaftOptions(), new Rounds(), () => 0));
        group.Start(_now);
        return group;
    }

    private static AppendEntries Append(int term, int previous, int previousTerm, int commit, params Entry[] entries) =>
        new(_id, new Term(term), _leader, new Round(1, TimeSpan.Zero), new LogIndex(previous), new Term(previousTerm), new LogIndex(commit), entries);

    private static Entry Entry(int index, int term) => new(new LogIndex(index), new Term(term), LogTime.Zero, 0, EntryKind.Command, new byte[] { 1 });
}
