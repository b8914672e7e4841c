using Watch.Core.Consensus;
using Watch.Core.Consensus.Messages;
using Watch.Core.Storage;

namespace Watch.Grains.Storage;

/// <summary>
/// One node's way from proposals to applied entries: the function in which their order stands. Called by the one loop that owns the
/// node; everything but the disk's work happens on the caller's scheduler.
/// </summary>
/// <param name="node">The node's groups.</param>
/// <param name="log">The node's log; only the disk worker touches it.</param>
/// <param name="disk">Where the log is written.</param>
/// <param name="clock">The clocks at the moment it is called.</param>
/// <param name="send">Ships a parcel to its node, or loses it; must not wait. None where nobody else is to be reached.</param>
/// <param name="throwIfBroken">Throws where the node was found broken while the disk worked: then it says nothing more. None where nobody could find that.</param>
public sealed class GroupCommit(Node node, WriteAheadLog log, IDiskWorker disk, Func<Moment> clock, Action<Parcel>? send = null, Action? throwIfBroken = null)
{
    private readonly LogBatch _batch = new();
    private Action? _write;

    /// <summary>
    /// Makes durable what waits in all groups, with one write and one sync, and applies what has become committed by it.
    /// Proposals that come meanwhile wait for the next round.
    /// </summary>
    /// <param name="apply">Receives committed entries, each group's in order. Only after it was given an entry may anyone be told of it.</param>
    /// <returns>Whether anything was written, sent or applied: then there may be more to do.</returns>
    /// <exception cref="LogFailedException">The disk failed: the node must stop. Nothing of this round is acknowledged.</exception>
    public async ValueTask<bool> RoundAsync(Action<CommittedEntries> apply)
    {
        // The order persist, fsync, acknowledge, apply is what "acknowledged = durable" means, and it stands here alone.
        //  1 persist      The records are written to the log.
        //  2 fsync        They survive a crash from here on, and not from any earlier point.
        //  3 acknowledge  The groups count them: this replica's vote, this replica's part of a majority, and what they had to say about
        //                 them to other nodes is sent. Were it before 2, an entry could be committed, and a client told so, that a crash
        //                 then takes away.
        //  4 apply        What a majority has is committed; it is applied and its writers are answered. Were it before 3, state would
        //                 show what may never have been.
        // If 1 or 2 fails, or the node broke a rule meanwhile, the exception leaves this function and 3 and 4 do not happen.
        // What the disk has no part in is sent first, so that the followers write while this node does. Whatever is sent follows 4: a follower
        // that hears what is committed answers reads from it, and this node must not know less by then (L12 of LeaderRole).
        var applied = Drain(apply);
        var sent = Send();
        var wrote = node.TryCollect(_batch);
        if (wrote)
        {
            await disk.Run(_write ??= WriteAndSync);                     // 1, 2
            throwIfBroken?.Invoke();
            _batch.Clear();
            node.Persisted(clock());                                     // 3
            applied |= Drain(apply);                                     // 4
            Send();
        }
        return wrote || applied || sent;
    }

    /// <summary>
    /// Says what there is to say to other nodes, and applies what has become committed, while the disk works or when nothing waits for it:
    /// the node holds back whatever the disk does not have yet, so steps 1 and 2 lie behind everything that happens here.
    /// </summary>
    /// <param name="apply">As in <see cref="RoundAsync"/>.</param>
    public void Talk(Action<CommittedEntries> apply)
    {
        Drain(apply);
        Send();
    }

    /// <summary>
    /// Records that everything written is durable, so that later damage to it is noticed: when nothing has waited for a while, and at a
    /// clean stop. Not while a round is under way.
    /// </summary>
    public ValueTask SealAsync() => log.NeedsSeal ? disk.Run(log.Seal) : ValueTask.CompletedTask;

    private bool Drain(Action<CommittedEntries> apply)
    {
        var applied = false;
        while (node.TryTakeCommitted(clock(), out var committed))
        {
            apply(committed);
            applied = true;
        }
        return applied;
    }

    private bool Send()
    {
        var sent = false;
        while (node.TryTakeParcel(clock(), out var parcel))
        {
            send?.Invoke(parcel);
            sent = true;
        }
        return sent;
    }

    private void WriteAndSync()
    {
        log.Append(_batch);
        log.Sync();
    }
}
