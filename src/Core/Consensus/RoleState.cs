using Watch.Core.Consensus.Messages;

namespace Watch.Core.Consensus;

/// <summary>What a replica does while it has a role. It ends when the replica takes another one; nothing of it is kept.</summary>
internal abstract class RoleState(RaftGroup group)
{
    /// <summary>Which role.</summary>
    internal abstract Role Role { get; }

    /// <summary>Who leads, as far as is known.</summary>
    internal virtual NodeId Leader => NodeId.None;

    /// <summary>When <see cref="Tick"/> has something to do; <see cref="TimeSpan.MaxValue"/> for never.</summary>
    internal abstract TimeSpan Deadline { get; }

    protected RaftGroup Group { get; } = group;

    protected GroupContext Context => Group.Context;

    protected RaftOptions Options => Group.Context.Options;

    /// <summary>The replica has taken this role.</summary>
    internal virtual void Enter(in Moment now)
    {
    }

    /// <summary>The replica is about to take another one.</summary>
    internal virtual void Leave()
    {
    }

    /// <summary>The deadline has come.</summary>
    internal abstract void Tick(in Moment now);

    /// <summary>A message of this term that is not a request for votes.</summary>
    internal abstract void Step(GroupMessage message, in Moment now);

    /// <summary>The disk has more than before.</summary>
    internal virtual void Persisted(in Moment now)
    {
    }
}
