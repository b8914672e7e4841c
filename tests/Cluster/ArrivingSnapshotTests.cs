using System.Buffers;
using Microsoft.Extensions.Logging.Abstractions;
using Watch.Core;
using Watch.Core.Consensus;
using Watch.Core.Consensus.Messages;
using Watch.Core.Keyspace;
using Watch.Core.Storage;
using Watch.Grains;
using Watch.Grains.Consensus;
using Watch.Grains.Storage;

namespace Watch.Cluster.Tests;

/// <summary>
/// A snapshot that another node sends and that cannot be read never takes the place of one that can: a real keeper, node and data folder, fed
/// by hand.
/// </summary>
public sealed class ArrivingSnapshotTests : IDisposable
{
    private static readonly NodeId s_leader = new(77);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("watch-arriving-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("the last piece is cut")]
    [InlineData("a piece is missing")]
    [InlineData("a newer version wrote it")]
    [InlineData("it has more entries in it than it says")]
    public async Task What_cannot_be_read_is_refused_and_what_was_there_before_survives_a_restart(string wrong)
    {
        var before = Pieces(keys: 3);
        using (var world = new World(_folder.FullName))
        {
            await world.ReceiveAsync(GroupId.Default, 5, before);
            Assert.Equal((5, 3), world.Have());

            await world.ReceiveAsync(GroupId.Default, 9, Spoiled(Pieces(keys: 4), wrong));
            Assert.Equal((5, 3), world.Have());
            Assert.Equal(0, world.Keeper.Arriving);
        }
        using (var again = new World(_folder.FullName))
        {
            Assert.Equal((5, 3), again.Have());
            // And one that can be read is taken.
            await again.ReceiveAsync(GroupId.Default, 9, Pieces(keys: 4));
            Assert.Equal((9, 4), again.Have());
        }
        using var last = new World(_folder.FullName);
        Assert.Equal((9, 4), last.Have());
    }

    [Fact]
    public async Task A_catalogue_that_cannot_be_read_is_refused()
    {
        var catalogue = new Catalogue();
        foreach (var command in Birth.FirstCommands(42, 9000, 500, "a", s_leader))
            catalogue.Apply(command, default);
        var bytes = CatalogueSnapshot.Encode(catalogue);
        using (var world = new World(_folder.FullName))
        {
            await world.ReceiveAsync(GroupId.System, 5, [bytes[..^3]]);
            Assert.False(world.Folder.Snapshots.Newest.ContainsKey(GroupId.System));
            Assert.Null(world.Node.Incarnation);
            await world.ReceiveAsync(GroupId.System, 6, [bytes]);
            Assert.Equal((UInt128)42, world.Node.Incarnation);
        }
        using var again = new World(_folder.FullName);
        Assert.Equal((UInt128)42, again.Node.Incarnation);
    }

    [Fact]
    public async Task What_is_not_needed_any_more_leaves_nothing_behind()
    {
        using var world = new World(_folder.FullName);
        await world.ReceiveAsync(GroupId.Default, 5, [.. Pieces(keys: 3)[..1]], isWhole: false);
        Assert.Equal(1, world.Keeper.Arriving);
        Assert.Single(world.Files(".received.tmp"));
        // Another leader, whose log reaches back to what is here, sends entries.
        await world.StepAsync(new AppendEntries(GroupId.Default, new Term(9), new NodeId(78), new Round(1, TimeSpan.Zero), LogIndex.None, Term.None, LogIndex.None, new[] { Membership.FirstEntry([s_leader, new NodeId(78)]) }));
        Assert.Equal(0, world.Keeper.Arriving);
        Assert.Empty(world.Files(".tmp"));
    }

    [Fact]
    public async Task A_disk_that_stays_full_while_room_is_given_back_stops_nobody_and_is_left_alone_for_a_while()
    {
        using var world = new World(_folder.FullName);
        await world.ReceiveAsync(GroupId.Default, 5, Pieces(keys: 3));
        world.Disk.IsFull = true;
        // Its name finds no room, and neither does what gives its room back: that ends, too.
        await world.ReceiveAsync(GroupId.Default, 9, Pieces(keys: 4));
        Assert.Equal((5, 3), world.Have());
        Assert.True(world.Folder.Snapshots.HasLeaving);

        world.Disk.IsFull = false;
        Assert.False(await world.Keeper.StepAsync(() => { }));
        world.Now = new Moment(world.Now.Monotonic + TimeSpan.FromSeconds(2), 0);
        Assert.True(await world.Keeper.StepAsync(() => { }));
        await world.ReceiveAsync(GroupId.Default, 9, Pieces(keys: 4));
        Assert.Equal((9, 4), world.Have());
        Assert.Empty(world.Files(".tmp"));
    }

    [Fact]
    public async Task In_whichever_job_of_the_disk_a_rule_is_broken_none_follows_and_nothing_is_retired()
    {
        for (var at = 1; ; at++)
        {
            using var world = new World(Path.Combine(_folder.FullName, $"{at}"), new LogOptions { SegmentBytesMax = 64 << 10, AllocateBytes = 4 << 10 });
            world.FillSegments();
            var (segments, jobs) = (world.Folder.Log.Use.Segments.Count, world.Disk.Jobs);
            Assert.InRange(segments, 2, 8);
            world.Disk.BreaksAt = jobs + at;
            var failed = await Record.ExceptionAsync(() => world.ReceiveAsync(GroupId.Default, 9, Pieces(keys: 3)));
            if (failed is null)
            {
                // There were jobs before, behind and in the middle of what retires segments.
                Assert.Single(world.Folder.Log.Use.Segments);
                Assert.InRange(at, 4, 100);
                return;
            }
            Assert.IsType<InvariantViolationException>(failed);
            Assert.Equal(at, world.Disk.Jobs - jobs);
            if (at == 1)
                Assert.Equal(segments, world.Folder.Log.Use.Segments.Count);
        }
    }

    [Fact]
    public async Task A_snapshot_on_the_disk_that_cannot_be_read_is_damage_found_before_anything_is_changed()
    {
        using (var world = new World(_folder.FullName))
        {
            await world.ReceiveAsync(GroupId.Default, 5, Pieces(keys: 3));
            // Whole as a file, and no state: the file's checksums do not tell.
            using var writer = world.Folder.Snapshots.Begin(World.Info(GroupId.Default, 9), received: true);
            writer.Write([1, 2, 3]);
            Assert.True(writer.Complete());
        }
        var before = Directory.GetFiles(_folder.FullName, "*", SearchOption.AllDirectories).Order().ToList();
        Assert.Contains("00000000000000000009.snap", Assert.Throws<SnapshotDamagedException>(() => new World(_folder.FullName)).Message, StringComparison.Ordinal);
        Assert.Equal(before, Directory.GetFiles(_folder.FullName, "*", SearchOption.AllDirectories).Order());
    }

    private static byte[][] Spoiled(byte[][] pieces, string wrong)
    {
        switch (wrong)
        {
            case "the last piece is cut":
                return [.. pieces[..^1], pieces[^1][..^1]];
            case "a piece is missing":
                return [.. pieces[..1], .. pieces[2..]];
            case "it has more entries in it than it says":
                return Pieces(keys: 20);
            default:
                pieces[0][0]++;
                return pieces;
        }
    }

    private static byte[][] Pieces(int keys)
    {
        var state = new BucketState();
        for (var each = 0; each < keys; each++)
            state.Apply(WriteCommand.Put(Key.Of($"/k{each}"), new byte[4]), new AppliedAt(state.Applied.Next, new LogTime(1), 1), NothingWatched.Instance);
        using var snapshot = state.BeginSnapshot();
        var (pieces, buffer) = (new List<byte[]>(), new ArrayBufferWriter<byte>());
        for (; snapshot.TryWritePiece(buffer); buffer.Clear())
            pieces.Add(buffer.WrittenSpan.ToArray());
        return [.. pieces];
    }

    /// <summary>A node that only listens, and its disk.</summary>
    private sealed class World : IDisposable
    {
        private readonly Dictionary<GroupId, (BucketState State, LogIndex UpTo)> _states = [];
        private readonly BucketReplica _bucket;

        public World(string folder, LogOptions? options = null)
        {
            var log = new RecoveredLog();
            Folder = DataFolder.Open(Disk, folder, "n", new Random(1), options ?? new LogOptions(), new NodeStorage.StateLoader(log, _states, KeyspaceRules.Standard));
            (BucketState State, LogIndex UpTo) loaded = _states.TryGetValue(GroupId.Default, out var state) ? state : (new BucketState(), LogIndex.None);
            _bucket = new BucketReplica(GroupId.Default, new WatchSiloOptions { DataDirectory = folder }, loaded.State, loaded.UpTo);
            Node = new Node(Folder.Identity, log, new RaftOptions(), () => 0);
            Node.Start(Now);
            Keeper = new SnapshotKeeper(Node, Folder, Disk, () => Now, _ => _bucket, KeyspaceRules.Standard, Disk.ThrowIfBroken, NullLogger.Instance);
        }

        public Moment Now { get; set; } = new(TimeSpan.FromHours(1), 0);

        public KeepersDisk Disk { get; } = new();

        public DataFolder Folder { get; }

        public Node Node { get; }

        public SnapshotKeeper Keeper { get; }

        public static SnapshotInfo Info(GroupId group, int index) =>
            new(group, new LogIndex(index), new Term(2), LogTime.Zero, new SnapshotMembers(new LogIndex(1), new Membership([s_leader], []), s_leader).Encode());

        /// <summary>The index of the snapshot that is on the disk, and how many keys the bucket has.</summary>
        public (int Index, int Keys) Have() => ((int)Folder.Snapshots.Newest[GroupId.Default].Index.Value, (int)_bucket.State.LiveKeys);

        public string[] Files(string suffix) => Directory.GetFiles(Path.Combine(Folder.Path, "snapshots"), $"*{suffix}");

        public async Task ReceiveAsync(GroupId group, int index, byte[][] pieces, bool isWhole = true)
        {
            var term = Node.Groups.TryGetValue(group, out var known) ? known.Term.Next : new Term(3);
            for (var chunk = 0; chunk < pieces.Length; chunk++)
                await StepAsync(new InstallSnapshot(group, term, s_leader, new Round(1, TimeSpan.Zero), Info(group, index), chunk, isWhole && chunk == pieces.Length - 1, pieces[chunk]));
        }

        public async Task StepAsync(GroupMessage message)
        {
            Node.Step(message, Now);
            do
                Persist();
            while (await Keeper.StepAsync(Settle) || Node.HasToPersist);
        }

        /// <summary>One leader after the other puts an entry in the place of the last one's: all of them are in the log, and all but one can go.</summary>
        public void FillSegments()
        {
            var first = Membership.FirstEntry([s_leader]);
            for (var term = 3; term < 23; term++)
            {
                var entry = new Entry(new LogIndex(2), new Term(term), LogTime.Zero, 0, EntryKind.Command, new byte[8 << 10]);
                Node.Step(new AppendEntries(GroupId.Default, new Term(term), new NodeId((UInt128)(77 + term)), new Round(1, TimeSpan.Zero), LogIndex.None, Term.None, LogIndex.None, new[] { first, entry }), Now);
                Persist();
            }
        }

        private void Persist()
        {
            var batch = new LogBatch();
            while (Node.TryCollect(batch))
            {
                Folder.Log.Append(batch);
                Folder.Log.Sync();
                batch.Clear();
                Node.Persisted(Now);
            }
            Settle();
        }

        public void Dispose()
        {
            Keeper.Close();
            Folder.Dispose();
        }

        private void Settle()
        {
            while (Node.TryTakeCommitted(Now, out var committed))
            {
                if (committed is { Snapshot: { } snapshot } && committed.Group != GroupId.System)
                    _bucket.Install(Keeper.Take(snapshot), snapshot.Index);
            }
        }
    }
}
