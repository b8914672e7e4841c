using Xunit.Abstractions;

namespace Watch.Simulation.Tests.Dropping;

/// <summary>Of all that watching says to anybody, each single thing may be lost: every watch is whole in the end all the same.</summary>
public sealed class DropTests(ITestOutputHelper output)
{
    private const int Seed = 4;

    [Fact]
    public void Whichever_single_message_is_lost_every_watch_is_whole()
    {
        var whole = DropRun.Run(Seed, null);
        Assert.True(whole.Violation is null, whole.Violation);
        Assert.True(whole.Count > 100, $"only {whole.Count} messages could be lost");

        var wrong = new System.Collections.Concurrent.ConcurrentBag<string>();
        var lost = new System.Collections.Concurrent.ConcurrentBag<string>();
        Parallel.For(0, whole.Count, new ParallelOptions { MaxDegreeOfParallelism = 2 }, number =>
        {
            var run = DropRun.Run(Seed, number);
            if (run.Dropped is null)
                wrong.Add($"{number}: nothing was lost");
            else
                lost.Add(run.Dropped[(run.Dropped.LastIndexOf(' ') + 1)..]);
            if (run.Violation is { } violation)
                wrong.Add($"{number}, {run.Dropped}: {violation}");
        });
        output.WriteLine($"{whole.Count} runs; lost: {string.Join(", ", lost.CountBy(each => each).OrderBy(each => each.Key, StringComparer.Ordinal).Select(each => $"{each.Key} {each.Value}"))}");
        Assert.True(wrong.IsEmpty, $"{wrong.Count} of {whole.Count}:{Environment.NewLine}{string.Join(Environment.NewLine, wrong.Order(StringComparer.Ordinal).Take(10))}");
    }
}
