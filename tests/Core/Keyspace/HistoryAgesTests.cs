using Watch.Core;
using Watch.Core.Keyspace;

namespace Watch.Core.Tests.Keyspace;

/// <summary>Giving up history by age: never too early, not much too late, and in little memory.</summary>
public class HistoryAgesTests
{
    [Fact]
    public void What_is_given_up_is_older_than_asked_for_and_by_little()
    {
        for (var seed = 0; seed < 200; seed++)
        {
            var random = new Random(seed);
            var ageMs = random.Next(1, 10_000);
            var ages = new HistoryAges(ageMs);
            var committed = new List<long>();
            var now = random.NextInt64(1_000_000);
            for (var write = 0; write < 500; write++)
            {
                now += random.Next(4) == 0 ? random.Next(ageMs / 2 + 1) : random.Next(3);
                committed.Add(now);
                ages.Note(new LogTime(now), new Revision(committed.Count));
                var through = (int)(ages.Due(Revision.None)?.Value ?? 0);
                Assert.True(through == 0 || now - committed[through - 1] > ageMs, $"seed {seed}: revision {through} of {committed[Math.Max(0, through - 1)]} is given up at {now}");
                Assert.True(now - committed[through] <= ageMs + Math.Max(1, ageMs / HistoryAges.Parts), $"seed {seed}: revision {through + 1} of {committed[through]} is kept at {now}");
                Assert.True(ages.Count <= HistoryAges.Parts + 2, $"seed {seed}: {ages.Count} notes");
            }
        }
    }

    [Fact]
    public void After_another_state_took_its_place_nothing_is_given_up_before_it_is_old_again()
    {
        var ages = new HistoryAges(100);
        ages.Note(new LogTime(0), new Revision(5));
        ages.Note(new LogTime(200), new Revision(6));
        Assert.Equal(new Revision(5), ages.Due(Revision.None));
        Assert.Null(ages.Due(new Revision(5)));
        ages.Restart();
        ages.Note(new LogTime(201), new Revision(7));
        Assert.Null(ages.Due(Revision.None));
    }

    /// <summary>While nothing is written, the clock alone makes history old; who waits until it is told to look finds something each time.</summary>
    [Fact]
    public void While_nothing_is_written_time_alone_makes_everything_old_and_not_too_early()
    {
        for (var seed = 0; seed < 200; seed++)
        {
            var random = new Random(seed);
            var ageMs = random.Next(64, 10_000);
            var ages = new HistoryAges(ageMs);
            var committed = new List<long>();
            var now = random.NextInt64(1_000_000);
            for (var write = random.Next(1, 100); write > 0; write--)
            {
                now += random.Next(ageMs / 8);
                committed.Add(now);
                ages.Note(new LogTime(now), new Revision(committed.Count));
            }

            var compacted = ages.Due(Revision.None) ?? Revision.None;
            while (ages.NextAt(compacted) is { } next)
            {
                Assert.True(next.Value > now, $"seed {seed}: at {now} it is to be looked at {next}");
                ages.Pass(new LogTime(next.Value - 1));
                Assert.True(ages.Due(compacted) is null, $"seed {seed}: something is old before {next}");
                ages.Pass(next);
                Assert.True(ages.Due(compacted) is { } due && next.Value - committed[(int)due.Value - 1] > ageMs, $"seed {seed}: nothing is old at {next}, or too much");
                (compacted, now) = (ages.Due(compacted)!.Value, next.Value);
            }

            Assert.Equal((seed, committed.Count), (seed, compacted.Value));
            ages.Note(new LogTime(now), compacted);
            Assert.True(ages.NextAt(compacted) is null, $"seed {seed}: the compaction itself is to be given up");
        }
    }
}
