using Watch.Core.Tests.Watching;
using Watch.Core.Watching;
using Xunit.Abstractions;

namespace Watch.Core.Tests.Costs;

/// <summary>
/// One of a thousand watchers stops reading for a minute of made-up time, under twenty puts a second. The others get everything in the
/// very step in which it was committed, at the same cost; the one holds no more than its queue; and afterwards it has what its policy says.
/// </summary>
public sealed class SlowOneTests(ITestOutputHelper output)
{
    private const int Watchers = 1_000;
    private const int Keys = 10;
    private const int Queue = 64;
    private const int StepMs = 50;
    private const int Steps = 60_000 / StepMs;

    public static TheoryData<string> Policies => ["park", "cancel", "latest", "drop oldest", "drop newest"];

    [Theory]
    [MemberData(nameof(Policies))]
    public void One_that_stops_for_a_minute_costs_the_others_nothing_and_has_afterwards_what_its_policy_says(string policy)
    {
        var (desk, slow) = (new Desk(), new Reader());
        var others = Enumerable.Range(0, Watchers - 1).Select(_ => desk.Watch("prefix /k/")).ToList();
        var one = desk.Watch("prefix /k/", Queue, whenSlow: RuleOf(policy));

        var (before, _) = Pass(desk, others, one, slow, Steps / 10);
        var readBefore = slow.Events.Count;
        var (during, held) = Pass(desk, others, one, reader: null, Steps);
        output.WriteLine($"{policy}: {before} bytes allocated per put while all read, {during} while one does not; it holds at most {held} events");

        // In Core nothing but work can make the others later: it is the same work.
        Assert.InRange(during, 0, before * 1.1);
        Assert.InRange(held, 0, Queue + 1);
        Assert.Equal(Watchers - 1 + (policy == "cancel" ? 0 : 1), desk.Table.Stats.Subscriptions);

        // It reads again, and goes on to.
        ReadOn(desk, one, slow);
        Pass(desk, others, one, slow, Keys);
        Judge(policy, slow, Steps / 10, desk.Ledger.Now.Value, readBefore);
    }

    private static void Judge(string policy, Reader slow, int readSteps, long last, int readBefore)
    {
        var numbers = slow.Events.Select(each => each.Revision).ToList();
        Assert.Equal(readSteps, readBefore);
        Assert.Equal(numbers.Order().Distinct(), numbers);
        switch (policy)
        {
            case "park":
                Assert.Equal(Enumerable.Range(1, (int)last).Select(at => (long)at), numbers);
                Assert.Equal((0, null), (slow.Lagged, slow.End));
                break;
            case "cancel":
                Assert.Equal(Enumerable.Range(1, readSteps + Queue).Select(at => (long)at), numbers);
                Assert.Equal((EndReason.Slow, numbers[^1]), (slow.End!.Reason, slow.End.Cursor!.Value.Value));
                break;
            default:
                // Nothing is lost without being counted, and what comes after the stop is whole again.
                Assert.Null(slow.End);
                Assert.Equal(last, numbers.Count + slow.Lagged);
                Assert.Equal(Enumerable.Range(0, Keys).Select(at => last - Keys + 1 + at), numbers.TakeLast(Keys));
                var afterwards = numbers.Skip(readBefore).SkipLast(Keys).ToList();
                var newest = last - Keys;
                Assert.Equal(policy switch
                {
                    "latest" => Enumerable.Range(0, Keys).Select(at => newest - Keys + 1 + at),
                    "drop oldest" => Enumerable.Range(0, Queue).Select(at => newest - Queue + 1 + at),
                    _ => Enumerable.Range(1, Queue).Select(at => (long)readSteps + at),
                }, afterwards);
                break;
        }
    }

    /// <summary>So many puts, each delivered and taken at once by all who read; gives what a put cost and the most that the one held.</summary>
    private static (long BytesPerPut, int Held) Pass(Desk desk, List<Subscription> others, Subscription one, Reader? reader, int steps)
    {
        var (allocated, held) = (0L, 0);
        for (var step = 0; step < steps; step++)
        {
            desk.NowMs += StepMs;
            var message = desk.Ledger.Commit(($"/k/{step % Keys}", $"{step}")).Single();
            var told = 0;
            var began = GC.GetAllocatedBytesForCurrentThread();
            desk.Deliver(message);
            foreach (var other in others)
                told += other.TryTake(int.MaxValue, long.MaxValue, out var items) && items.Revision == message.Revision ? 1 : 0;
            allocated += GC.GetAllocatedBytesForCurrentThread() - began;
            Assert.Equal(others.Count, told);
            if (reader is not null)
                ReadOn(desk, one, reader);
            held = Math.Max(held, one.QueuedEvents);
        }

        return (allocated / steps, held);
    }

    private static void ReadOn(Desk desk, Subscription one, Reader reader)
    {
        for (var took = true; took;)
        {
            took = false;
            while (one.TryTake(16, long.MaxValue, out var items))
            {
                reader.Take(items);
                took = true;
            }

            desk.ContinueReplays();
        }
    }

    private static SlowRule RuleOf(string policy) => policy switch
    {
        "park" => SlowRule.Park,
        "cancel" => SlowRule.Cancel,
        "latest" => SlowRule.Latest,
        "drop oldest" => SlowRule.DropOldest,
        _ => SlowRule.DropNewest,
    };

    /// <summary>What the one took.</summary>
    private sealed class Reader
    {
        public List<(long Revision, string Key)> Events { get; } = [];

        public long Lagged { get; private set; }

        public EndNotice? End { get; private set; }

        public void Take(WatchItems items)
        {
            End ??= items.End;
            foreach (var part in items.Parts)
                if (part is WatchPart.Events { Commit: var commit })
                    Events.AddRange(commit.Changes.Select(change => (change.Revision.Value, change.Key.ToString())));
                else if (part is WatchPart.Lagged lagged)
                    Lagged += lagged.Count;
        }
    }
}
