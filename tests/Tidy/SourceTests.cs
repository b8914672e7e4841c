namespace Watch.Tidy;

/// <summary>The rules over the source text. Each has a sample in <see cref="RuleTests"/> that breaks it.</summary>
public sealed class SourceTests
{
    private static readonly string[] KnownExceptions = ["file", "function", "call"];

    [Fact]
    public void No_file_is_longer_than_its_limit() => Judge("file", Sources.Findings(Rules.LongFiles)
        .ToDictionary(finding => finding.Path, finding => (Sources.All.Single(file => file.Path == finding.Path).Lines.Length, $"{finding}")));

    [Fact]
    public void No_function_is_longer_than_its_limit() => Judge("function", Sources.All.SelectMany(Rules.Functions)
        .Where(function => function.Length > Rules.LinesPerFunctionMax)
        .GroupBy(function => $"{function.Finding.Path} {function.Name}")
        .ToDictionary(group => group.Key, group => (group.Max(function => function.Length), $"{group.MaxBy(function => function.Length).Finding}")));

    [Fact]
    public void Simulated_layers_take_time_chance_and_threads_only_from_what_they_are_given() => Judge("call", Sources.All.SelectMany(Rules.BannedCalls)
        .GroupBy(call => $"{call.Finding.Path} {call.Name}")
        .ToDictionary(group => group.Key, group => (group.Count(), string.Join('\n', group.Select(call => call.Finding)))));

    [Fact]
    public void Exceptions_name_rules_that_exist() => None(Exceptions.Load().Rules.Except(KnownExceptions));

    [Fact]
    public void Engines_differ_only_in_folders_named_Engine() => None(Sources.Findings(Rules.ConditionalCompilation));

    [Fact]
    public void No_catch_is_empty() => None(Sources.Findings(Rules.EmptyCatches));

    [Fact]
    public void Nothing_is_async_void() => None(Sources.Findings(Rules.AsyncVoid));

    [Fact]
    public void No_test_is_skipped() => None(Sources.Findings(Rules.SkippedTests));

    [Fact]
    public void No_test_waits_for_a_while() => None(Sources.Findings(Rules.WaitsInTests));

    [Fact]
    public void Nothing_is_left_for_later() => None(Sources.Findings(Rules.UnfinishedWork));

    [Fact]
    public void The_sources_are_found()
    {
        Assert.Contains(Sources.All, file => file.IsUnder("src/Core"));
        Assert.Contains(Sources.All, file => file.Path == "tests/Tidy/SourceTests.cs");
    }

    private static void Judge(string rule, IReadOnlyDictionary<string, (int Number, string What)> real) => None(Exceptions.Load().Judge(rule, real));

    private static void None<T>(IEnumerable<T> findings)
    {
        var list = findings.ToList();
        Assert.True(list.Count == 0, $"{list.Count} found:\n{string.Join('\n', list)}");
    }
}
