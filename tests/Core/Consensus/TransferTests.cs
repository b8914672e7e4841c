using Watch.Core.Consensus;
using Watch.Core.Consensus.Messages;
using Watch.Core.Storage;

namespace Watch.Core.Tests.Consensus;

/// <summary>A learner that is sent a snapshot slowly, while the others write on and on.</summary>
public sealed class TransferTests
{
    private const int EntriesBefore = 300;
    private const int RoundsMax = 2000;

    private static readonly RaftOptions s_options = new() { SnapshotEntries = 10, SnapshotTailEntries = 2, SnapshotPatience = 4, SnapshotPatienceMax = 64, RewriteBytesMax = 1024 };

    [Fact]
    public void A_transfer_that_lasts_longer_than_the_interval_between_snapshots_comes_to_an_end()
    {
        var (rounds, begunAnew) = Run(s_options);
        Assert.InRange(begunAnew, 1, 4);                                 // else this test shows nothing
        Assert.InRange(rounds, 1, 500);
    }

    [Fact]
    public void Without_growing_patience_it_would_begin_anew_for_ever()
    {
        var (rounds, begunAnew) = Run(s_options with { SnapshotPatienceMax = 4 });
        Assert.Equal(RoundsMax, rounds);
        Assert.InRange(begunAnew, 10, RoundsMax);
    }

    [Fact]
    public void A_learner_that_is_slow_with_entries_too_is_promoted_while_the_others_write_on()
    {
        // What was written while the snapshot travelled takes time as well: it must not need another snapshot by then.
        Assert.InRange(RoundsToPromotion(s_slow), 1, 800);
        // Without either of the two rules it never votes.
        Assert.Equal(RoundsMax, RoundsToPromotion(s_slow with { FollowerTailBytes = 0, SnapshotPatience = 1, SnapshotPatienceMax = 1 }));
    }

    [Fact]
    public void Entries_that_a_follower_lacks_stay_up_to_so_many_bytes_and_go_when_it_has_them()
    {
        var bytes = LogBatch.BytesOf(new Entry(new LogIndex(1), new Term(1), LogTime.Zero, 0, EntryKind.Command, Machine.Command(1)));
        foreach (var (held, expected) in new[] { (0, 2), (10 * bytes, 12), (1 << 20, 30) })
        {
            var world = new World(s_slow with { FollowerTailBytes = held, SnapshotEntries = 1000 }) { IsSlowWithEntries = true };
            world.Change(MembershipChangeKind.AddLearner);
            world.DeliverAll();
            var before = world.Leader.Raft!.Last;
            for (var each = 0; each < 30; each++)
                world.Write();
            world.TakeSnapshot();
            Assert.Equal(expected, world.Leader.Raft.Last - world.Leader.Raft.Log.First + 1);
            if (held < 1 << 20)
                continue;
            Assert.Equal(before.Next, world.Leader.Raft.Log.First);
            world.DeliverAll();
            Assert.Equal(world.Leader.Raft.Last, world.Learner.Raft!.Last);
            Assert.Equal(0, world.Learner.Installs);
            Assert.Equal(2, world.Leader.Raft.Last - world.Leader.Raft.Log.First + 1);
        }
    }

    [Theory]
    [InlineData("refuses the first chunk")]
    [InlineData("refuses the third chunk")]
    [InlineData("says nothing")]
    public void A_follower_that_never_takes_a_snapshot_keeps_neither_another_one_from_it_nor_the_leader_from_the_next(string wrong)
    {
        var world = new World(s_options with { SnapshotTransfersMax = 1, ChunkSendsMax = 3, TransferPause = TimeSpan.FromSeconds(1), TransferPauseMax = TimeSpan.FromSeconds(8) });
        for (var each = 0; each < EntriesBefore; each++)
            world.Write();
        world.RefuseFrom = wrong == "refuses the first chunk" ? 0 : 2;
        world.IsDeaf = wrong == "says nothing";
        world.Change(MembershipChangeKind.AddLearner, world.Refusing);
        Run(5);
        Assert.Equal(1, world.TriesOfRefusing);                          // it came first
        world.Change(MembershipChangeKind.AddLearner);
        Run(100);
        Assert.Equal((1, 0), (world.Learner.Installs, world.Refusing.Installs));
        Assert.Equal(world.Leader.Raft!.Committed, world.Learner.Raft!.Committed);

        // The tries grow rare, and between them the leader takes its snapshots as ever.
        Run(200);
        var (tries, snapshots) = (world.TriesOfRefusing, world.Leader.Snapshots);
        Run(800);
        Assert.InRange(world.TriesOfRefusing - tries, 4, 11);
        Assert.InRange(world.Leader.Snapshots - snapshots, 10, 80);

        // When it can take one, it gets one.
        (world.RefuseFrom, world.IsDeaf) = (int.MaxValue, false);
        Run(200);
        Assert.Equal(1, world.Refusing.Installs);
        Assert.False(world.Leader.Raft!.Leading!.IsTransferring);

        void Run(int rounds)
        {
            for (var round = 0; round < rounds; round++)
            {
                if (round % 2 == 0)
                    world.Write();
                for (var parcel = 0; parcel < 50; parcel++)
                    world.Deliver();
                world.Pass(TimeSpan.FromMilliseconds(100));
            }
        }
    }

    [Fact]
    public void A_follower_that_gets_further_than_ever_is_not_kept_waiting_for_what_stopped_it_before()
    {
        var world = new World(s_options with { SnapshotTransfersMax = 1, ChunkSendsMax = 3, TransferPause = TimeSpan.FromSeconds(1), TransferPauseMax = TimeSpan.FromSeconds(60) }) { RefuseFrom = 1 };
        for (var each = 0; each < EntriesBefore; each++)
            world.Write();
        world.Change(MembershipChangeKind.AddLearner, world.Refusing);
        for (var round = 0; round < 1_000; round++)
            Pass();
        Assert.InRange(world.TriesOfRefusing, 4, 8);

        world.RefuseFrom = 2;
        for (var tries = world.TriesOfRefusing; world.TriesOfRefusing == tries;)
            Pass();
        var before = world.TriesOfRefusing;
        for (var round = 0; round < 100; round++)
            Pass();
        Assert.InRange(world.TriesOfRefusing - before, 2, 5);

        void Pass()
        {
            for (var parcel = 0; parcel < 50; parcel++)
                world.Deliver();
            world.Pass(TimeSpan.FromMilliseconds(100));
        }
    }

    private static readonly RaftOptions s_slow = s_options with { AppendEntriesMax = 2, InFlightEntriesMax = 2, PromotionLagEntriesMax = 2 };

    /// <summary>In each round one entry is written, and one parcel with entries or a part of a snapshot reaches the learner. Until it votes, or so long.</summary>
    private static int RoundsToPromotion(RaftOptions options)
    {
        var world = new World(options) { IsSlowWithEntries = true };
        for (var each = 0; each < EntriesBefore; each++)
            world.Write();
        world.Change(MembershipChangeKind.AddLearner);
        for (var round = 1; round < RoundsMax; round++)
        {
            world.Write();
            world.Deliver();
            world.Pass(TimeSpan.FromMilliseconds(20));
            if (world.Leader.Node!.Change(Machine.Group, new MembershipChange(MembershipChangeKind.Promote, world.Learner.Id), world.Now) == MembershipOutcome.Appended)
                return round;
        }
        return RoundsMax;
    }

    /// <summary>In each round one entry is written and one parcel reaches the learner. Until it has its log, or so long.</summary>
    private static (int Rounds, int BegunAnew) Run(RaftOptions options)
    {
        var world = new World(options);
        for (var each = 0; each < EntriesBefore; each++)
            world.Write();
        world.Change(MembershipChangeKind.AddLearner);
        var rounds = 0;
        while (rounds < RoundsMax && world.Learner.Installs == 0)
        {
            rounds++;
            world.Write();
            world.Deliver();
            // A round is time, too, else nothing would be sent again.
            world.Pass(TimeSpan.FromMilliseconds(100));
        }
        return (rounds, world.Sent.Distinct().Count() - 1);
    }

    private sealed class World
    {
        private readonly List<Machine> _machines = [];
        private readonly Queue<Parcel> _late = new();
        private TimeSpan _now = TimeSpan.FromSeconds(1);

        internal World(RaftOptions options)
        {
            for (var number = 1; number <= 3; number++)
                _machines.Add(new Machine(number, options, () => 0, SafetyRules.Raft));
            _machines[0].Found([Leader.Id]);
            foreach (var machine in _machines)
                machine.Start(Now);
            Settle();
        }

        internal Machine Leader => _machines[0];

        internal Machine Refusing => _machines[1];

        internal Machine Learner => _machines[2];

        /// <summary>From this chunk on <see cref="Refusing"/> keeps none.</summary>
        internal int RefuseFrom { get; set; } = int.MaxValue;

        /// <summary>Whether chunks that are sent to <see cref="Refusing"/> are lost.</summary>
        internal bool IsDeaf { get; set; }

        /// <summary>How often a transfer to <see cref="Refusing"/> has begun.</summary>
        internal int TriesOfRefusing { get; private set; }

        internal Moment Now => new(_now, 0);

        /// <summary>Whether entries, too, reach the learner parcel by parcel.</summary>
        internal bool IsSlowWithEntries { get; init; }

        /// <summary>Of which snapshots chunks reached the learner.</summary>
        internal List<LogIndex> Sent { get; } = [];

        internal void Write()
        {
            Assert.True(Leader.Node!.Propose(Machine.Group, [Machine.Command(1)], Now).Accepted);
            Settle();
        }

        internal void Change(MembershipChangeKind kind, Machine? of = null)
        {
            Assert.Equal(MembershipOutcome.Appended, Leader.Node!.Change(Machine.Group, new MembershipChange(kind, (of ?? Learner).Id), Now));
            Settle();
        }

        internal void TakeSnapshot()
        {
            var before = Leader.Snapshots;
            for (Leader.StepSnapshot(takeOne: true); Leader.Snapshots == before;)
                Leader.StepSnapshot(takeOne: false);
            Settle();
        }

        internal void DeliverAll()
        {
            while (_late.Count > 0)
                Deliver();
        }

        internal void Deliver()
        {
            if (!_late.TryDequeue(out var parcel))
                return;
            Sent.AddRange(parcel.Messages.OfType<InstallSnapshot>().Select(part => part.Snapshot.Index));
            if (parcel.To != Refusing.Id || !IsDeaf)
                _machines[(int)parcel.To.Value - 1].Node!.Step(parcel, Now);
            Settle();
        }

        internal void Pass(TimeSpan span)
        {
            _now += span;
            foreach (var machine in _machines)
                machine.Node!.Tick(Now);
            Settle();
        }

        private void Settle()
        {
            var turns = 0;
            while (_machines.Count(Work) > 0)
                Assert.True(++turns < 1000, string.Join('\n', _machines.Select(machine => $"{machine.Name} {machine.Raft?.Role} {machine.Raft?.Committed} {machine.Raft?.Last} {machine.Raft?.Leading} {machine.Snapshots}")));
        }

        private bool Work(Machine machine)
        {
            var worked = false;
            while (machine.Node!.TryTakeParcel(Now, out var parcel))
            {
                worked = true;
                if (parcel.Messages.Any(message => message is InstallSnapshot || (IsSlowWithEntries && message is AppendEntries { Entries.Length: > 0 } && parcel.To == Learner.Id)))
                    _late.Enqueue(parcel);
                else
                    _machines[(int)parcel.To.Value - 1].Node!.Step(parcel, Now);
            }
            if (machine.WriteBatch())
            {
                machine.SyncBatch(Now);
                worked = true;
            }
            while (machine.Node.TryTakeSnapshotWork(out var work))
            {
                Do(machine, work);
                worked = true;
            }
            machine.Apply(Now, _ => worked = true);
            return machine.StepSnapshot(takeOne: false) || worked;
        }

        private void Do(Machine machine, SnapshotWork work)
        {
            if (work is SnapshotWork.Read read && read.To == Refusing.Id && read.Chunk == 0)
                TriesOfRefusing++;
            if (machine != Refusing || work is not SnapshotWork.Write write || write.Chunk < RefuseFrom)
            {
                machine.Do(work, Now);
                return;
            }
            machine.Disk.Desk.Drop(Machine.Group);
            machine.Node!.ChunkRefused(write);
        }
    }
}
