using Watch.Core.Keyspace;
using Xunit.Abstractions;

namespace Watch.Core.Tests.Keyspace;

/// <summary>The parts that the state is made of, where a story of a bucket would reach them too seldom.</summary>
public class PartsTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData(1, 3)]          // smaller than the first commit: taken whole all the same
    [InlineData(3, 3)]
    [InlineData(4, 3)]          // the second commit would be split
    [InlineData(5, 5)]
    [InlineData(6, 6)]
    [InlineData(100, 6)]
    public void A_page_holds_whole_commits_only(int changesMax, int taken)
    {
        var changes = new Sequence([(1, "a"), (1, "b"), (1, "c"), (3, "a"), (3, "b"), (7, "a")]);
        var page = HistoryPager.Cut(changes, Revision.None, new Revision(9), changesMax, long.MaxValue);
        Assert.Equal(taken, page.Commits.Sum(commit => commit.Changes.Count));
        Assert.Equal(taken switch { 3 => 1, 5 => 3, _ => 9 }, page.Reached.Value);
        Assert.All(page.Commits, commit => Assert.All(commit.Changes, change => Assert.Equal(commit.Revision, change.Revision)));

        var bytes = PageBytes.Of(changes[0]) * changesMax;
        var byBytes = HistoryPager.Cut(changes, Revision.None, new Revision(9), int.MaxValue, bytes);
        Assert.Equal(page.Reached, byBytes.Reached);
        Assert.Empty(HistoryPager.Cut(changes, new Revision(3), new Revision(6), changesMax, bytes).Commits);
    }

    [Fact]
    public void The_index_of_keys_stays_in_order_under_random_insertion_and_removal()
    {
        var random = Seeds.Start(output, out _);
        var index = new KeyIndex();
        var expected = new SortedDictionary<Key, KeyEntry>();
        var bucket = new Segment(Key.Empty, null, Revision.None);
        for (var phase = 0; phase < 6; phase++)
        {
            // Grows with odd phases and shrinks with even ones, so that blocks split, merge and vanish.
            for (var step = 0; step < 3_000; step++)
            {
                var entry = new KeyEntry(Key.Of($"{(phase == 0 ? step : random.Next(5_000)):D5}"), bucket, Revision.None);
                var removal = random.Next(10) < (phase % 2 == 0 ? 2 : 8) && phase > 0;
                if (!removal && expected.TryAdd(entry.Text, entry))
                    index.Add(entry);
                else if (removal && expected.Count > 0)
                    Remove(expected.ElementAt(random.Next(expected.Count)).Value);
            }

            Assert.Equal(expected.Keys, index.Walk(KeyRange.All).Select(entry => entry.Text));
            for (var each = 0; each < 50; each++)
            {
                var range = new KeyRange(Key.Of($"{random.Next(5_000):D5}"), Key.Of($"{random.Next(5_000):D5}"));
                Assert.Equal(expected.Keys.Where(range.Contains), index.Walk(range).Select(entry => entry.Text));
            }
        }

        foreach (var entry in expected.Values.ToList())
            Remove(entry);
        Assert.Empty(index.Walk(KeyRange.All));
        Assert.Equal(0, index.Count);

        void Remove(KeyEntry entry)
        {
            index.Remove(entry);
            expected.Remove(entry.Text);
        }
    }

    [Fact]
    public void The_queue_behind_every_index_keeps_order_while_it_grows_slides_and_shrinks()
    {
        var random = Seeds.Start(output, out _);
        var queue = default(CompactQueue<int>);
        var expected = new List<int>();
        for (var step = 0; step < 20_000; step++)
        {
            var growing = step / 1_000 % 2 == 0;
            if (random.Next(10) < (growing ? 8 : 3))
            {
                queue.Append(step);
                expected.Add(step);
            }
            else
            {
                var dropped = Math.Min(expected.Count, random.Next(4));
                queue.DropOldest(dropped);
                expected.RemoveRange(0, dropped);
            }

            Assert.Equal(expected.Count, queue.Count);
            if (expected.Count > 0)
                Assert.Equal((expected[0], expected[^1]), (queue[0], queue[queue.Count - 1]));
            if (step % 500 == 0)
                Assert.Equal(expected, Enumerable.Range(0, queue.Count).Select(at => queue[at]));
        }
    }

    [Fact]
    public void A_write_to_known_scopes_that_nobody_watches_allocates_its_change_and_its_answer_alone()
    {
        var state = new BucketState();
        var commands = Enumerable.Range(0, 4_096).Select(_ => WriteCommand.Put(Key.Of("/one/two/key"), new byte[16])).ToArray();
        foreach (var command in commands)
            state.Apply(command, 0, NothingWatched.Instance);

        var before = GC.GetAllocatedBytesForCurrentThread();
        foreach (var command in commands)
            state.Apply(command, 0, NothingWatched.Instance);
        var perWrite = (GC.GetAllocatedBytesForCurrentThread() - before) / commands.Length;

        // Change 112, its place in four indexes at most 8 + 2 * 20, and the answer: key 72, commit 32, list of one 32 and 24.
        output.WriteLine($"{perWrite} bytes allocated for each write");
        Assert.InRange(perWrite, 1, 340);
    }

    private sealed class Sequence((long Revision, string Key)[] changes) : IChangeSequence
    {
        public int Count => changes.Length;

        public Change this[int position] => new()
        {
            Key = Key.Of(changes[position].Key),
            Kind = ChangeKind.Put,
            Value = default,
            PreviousValue = null,
            Revision = new Revision(changes[position].Revision),
            CreateRevision = new Revision(1),
            Version = 1,
            CommitTimeMs = 0,
        };
    }
}
