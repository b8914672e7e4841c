namespace Watch.Core.Consensus;

/// <summary>
/// A learner is a follower without a vote: it is sent the log, and a leader that promotes it finds it caught up. It never stands for
/// election. A replica that does not know yet who belongs to its group is one, too. Asked for its vote it gives it, though: the
/// candidate's log may know that it was made a voter, and only votes of voters are counted.
/// </summary>
internal sealed class LearnerRole(RaftGroup group, NodeId leader) : FollowerRole(group, leader, TimeSpan.MaxValue)
{
    internal override Role Role => Role.Learner;

    internal override TimeSpan Deadline => TimeSpan.MaxValue;
}
