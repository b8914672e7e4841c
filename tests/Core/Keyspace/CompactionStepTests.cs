using Watch.Core.Keyspace;

namespace Watch.Core.Tests.Keyspace;

/// <summary>However much is to be given up, one entry does a bounded part of it; all steps together do what one would have done.</summary>
public class CompactionStepTests
{
    private const int Writes = 20_000;

    // The key, /a/b/, /a/, / and the bucket.
    private const int PlacesOfEach = 5;
    private const int ChangesOfStep = (BucketState.CompactionPlacesMax + PlacesOfEach - 1) / PlacesOfEach;

    [Fact]
    public void A_compaction_of_all_history_drops_a_bounded_part_at_a_time_and_comes_to_what_one_in_one_go_does()
    {
        var (stepped, whole) = (Written(), Written());
        var steps = 0;
        while (stepped.Compacted < stepped.Revision)
        {
            var before = stepped.HistoryChanges;
            Assert.Equal(ApplyStatus.Applied, Apply(stepped, stepped.CompactionStep(stepped.Revision, default)));
            Assert.InRange(before - stepped.HistoryChanges, 1, ChangesOfStep);
            steps++;
        }

        Assert.Equal((Writes + ChangesOfStep - 1) / ChangesOfStep, steps);
        for (var step = 0; step < steps; step++)
            Apply(whole, new CompactCommand(whole.Revision, default(Revision)));
        Assert.Equal(whole.Digest(), stepped.Digest());
    }

    [Fact]
    public void More_scopes_than_one_entry_may_forget_wait_for_the_next_step()
    {
        const int Keys = 3 * BucketState.CompactionPlacesMax;
        var state = new BucketState();
        for (var write = 0; write < Keys; write++)
        {
            Apply(state, WriteCommand.Put(Key.Of($"{write}"), default));
            Apply(state, WriteCommand.Delete(Key.Of($"{write}")));
        }

        Apply(state, new CompactCommand(state.Revision, default(Revision)));
        Apply(state, WriteCommand.Put(Key.Of("y"), default));
        Apply(state, WriteCommand.Put(Key.Of("z"), default));

        // Each key was emptied by a change of its own: so many of them are forgotten, and what is left goes with the next.
        Apply(state, state.CompactionStep(new Revision(2 * Keys + 1), state.Revision));
        Assert.Equal(new Revision(2 * 2 * BucketState.CompactionPlacesMax), state.ForgottenThrough);
        Apply(state, state.CompactionStep(state.Revision, state.Revision));
        Assert.Equal(state.Revision, state.ForgottenThrough);
    }

    [Fact]
    public void A_step_forgets_no_farther_than_it_goes_though_a_longer_one_was_proposed_before_it()
    {
        // The one before it is in the log, but not applied yet.
        var state = Written();
        var step = state.CompactionStep(new Revision(500), forgetThrough: new Revision(800));
        Assert.Equal(new CompactCommand(new Revision(500), new Revision(500)), CommandCodec.Decode(CommandCodec.Encode(step)));
    }

    [Fact]
    public void A_replica_that_starts_from_a_snapshot_between_two_steps_comes_to_what_the_others_have()
    {
        var others = Written();
        Apply(others, others.CompactionStep(others.Revision, default));
        var reader = new BucketSnapshotReader();
        using (var snapshot = others.BeginSnapshot(1 << 20))
            foreach (var piece in SnapshotRun.Rest(snapshot))
                reader.Add(piece);
        var started = reader.Complete();
        while (others.Compacted < others.Revision)
        {
            var step = others.CompactionStep(others.Revision, others.Compacted);
            Assert.Equal(step, started.CompactionStep(started.Revision, started.Compacted));
            Assert.Equal(Apply(others, step), Apply(started, step));
        }

        Assert.Equal((0, others.Digest()), (started.HistoryChanges, started.Digest()));
    }

    [Fact]
    public void A_step_beyond_what_was_reached_is_refused() =>
        Assert.Throws<RevisionNotReachedException>(() => new BucketState().CompactionStep(new Revision(1), default));

    private static BucketState Written()
    {
        var state = new BucketState();
        for (var write = 0; write < Writes; write++)
            Apply(state, WriteCommand.Put(Key.Of($"/a/b/{write}"), default));
        return state;
    }

    private static ApplyStatus Apply(BucketState state, Command command) => state.Apply(command, 0, NothingWatched.Instance).Status;
}
