namespace Watch.Programs.Tests;

/// <summary>The judgement over a load's record: one that holds, and for each rule one that breaks it.</summary>
public sealed class LoadVerifyTests
{
    private const string Good =
        """
        a 10 0 /k 0-0 1
        e 11 /k 0-0 1
        q 12 0 Linearizable /k 0
        r 13 0 0-0 1
        q 12 1 Lease /k 0
        r 13 1 0-0 1
        q 14 2 Eventual /k 0
        r 15 2 - 0
        u 16 0 /k 0-1
        e 17 /k 0-1 2
        q 18 3 AtLeast /k 1
        r 19 3 0-0 1
        q 20 3 AtLeast /k 1
        n 21 3
        f 22 0 /k 0-2
        s /k 0-1 2
        """;

    [Fact]
    public async Task A_record_that_holds_is_verified()
    {
        var ended = await VerifyAsync(Good);
        Assert.Equal(0, ended.ExitCode);
        Assert.Contains("1 AtLeast, 1 Eventual, 1 Lease, 1 Linearizable; not answered: 1", ended.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("V1", "a 23 1 /l 1-0 3")]
    [InlineData("V2", "e 23 /k 0-0 3")]
    [InlineData("V2", "e 23 /k 0-2 3")]
    [InlineData("V3", "e 23 /k 0-9 2")]
    [InlineData("V4", "s /l 1-0 1")]
    [InlineData("V5", "x Slow: the queue was full")]
    [InlineData("V6", "q 23 0 Linearizable /k 0\nr 24 0 - 0")]
    [InlineData("V6", "q 23 0 Lease /k 0\nr 24 0 - 0")]
    [InlineData("V6", "q 23 0 AtLeast /k 1\nr 24 0 - 0")]
    [InlineData("V7", "q 23 0 Eventual /k 0\nr 24 0 0-0 2")]
    public async Task What_breaks_a_rule_fails_and_names_it(string rule, string lines)
    {
        var ended = await VerifyAsync($"{Good}\n{lines}");
        Assert.Equal(1, ended.ExitCode);
        Assert.Contains($"FAILED: {rule}:", ended.Output, StringComparison.Ordinal);
    }

    private static async Task<Ended> VerifyAsync(string record)
    {
        var file = Path.Combine(Path.GetTempPath(), $"watch-record-{Guid.NewGuid():n}");
        await File.WriteAllTextAsync(file, record + "\n");
        try
        {
            await using var verify = ProgramUnderTest.Start("watch.dll", ["load", "verify", file]);
            return await verify.EndAsync();
        }
        finally
        {
            File.Delete(file);
        }
    }
}
