namespace Watch.Tidy;

/// <summary>Shows that each rule can fail: a sample that breaks it, and one that does not.</summary>
public sealed class RuleTests
{
    [Theory]
    [InlineData("var now = DateTime.UtcNow;", "DateTime.Now")]
    [InlineData("var now = DateTimeOffset.Now;", "DateTime.Now")]
    [InlineData("var clock = Stopwatch.StartNew();", "Stopwatch")]
    [InlineData("var t = Environment.TickCount64;", "Environment.TickCount")]
    [InlineData("var r = Random.Shared.Next();", "Random.Shared")]
    [InlineData("var r = new Random(1);", "new Random")]
    [InlineData("var id = Guid.NewGuid();", "Guid.NewGuid")]
    [InlineData("Task.Run(() => 1);", "Task.Run")]
    [InlineData("Task.Factory.StartNew(() => 1);", "Task.Run")]
    [InlineData("ThreadPool.QueueUserWorkItem(_ => { });", "ThreadPool")]
    [InlineData("new Thread(() => { }).Start();", "new Thread")]
    [InlineData("await x.CancelAsync();", "CancelAsync")]
    [InlineData("await x.ConfigureAwait(false);", "ConfigureAwait(false)")]
    [InlineData("await Task.Delay(timeout, token);", "no TimeProvider")]
    [InlineData("using var c = new CancellationTokenSource(timeout);", "no TimeProvider")]
    [InlineData("#if X\n Task.Run(() => 1);\n#endif", "Task.Run")]
    public void A_banned_call_is_found(string statement, string name)
    {
        Assert.Equal(name, Assert.Single(Rules.BannedCalls(Sample(statement))).Name);
        Assert.Empty(Rules.BannedCalls(Sample(statement, "src/Silo/Sample.cs")));
    }

    [Theory]
    [InlineData("// DateTime.Now, says the comment")]
    [InlineData("/* Task.Run */ Go();")]
    [InlineData("Say(\"Guid.NewGuid\");")]
    [InlineData("Say($\"new Thread({x})\");")]
    [InlineData("Say(\"\"\"\n Stopwatch\n \"\"\");")]
    [InlineData("await Task.Delay(timeout, _time, token);")]
    [InlineData("await Task.Delay(timeout, this.TimeProvider, token);")]
    [InlineData("using var c = new CancellationTokenSource(timeout, timeProvider);")]
    [InlineData("using var c = new CancellationTokenSource();")]
    public void What_is_no_banned_call_is_not_found(string statement) => Assert.Empty(Rules.BannedCalls(Sample(statement)));

    [Fact]
    public void Lengths_are_measured()
    {
        var body = string.Concat(Enumerable.Repeat("Go();\n", 47));
        Assert.DoesNotContain(Rules.Functions(Sample(body)), function => function.Length > Rules.LinesPerFunctionMax);
        Assert.Contains(Rules.Functions(Sample(body + "Go();\n")), function => function is { Length: 51, Name: "M" });
        Assert.Empty(Rules.LongFiles(new("src/Core/A.cs", string.Concat(Enumerable.Repeat("//\n", 400)))));
        Assert.Single(Rules.LongFiles(new("src/Core/A.cs", string.Concat(Enumerable.Repeat("//\n", 401)))));
    }

    [Fact]
    public void Conditional_compilation_is_found_outside_Engine()
    {
        Assert.Single(Rules.ConditionalCompilation(Sample("#if ENGINE_ORLEANS\n#endif", "src/Silo/Program.cs")));
        Assert.Empty(Rules.ConditionalCompilation(Sample("#if ENGINE_ORLEANS\n#endif", "src/Silo/Engine/Host.cs")));
        Assert.Empty(Rules.ConditionalCompilation(Sample("Say(\"\"\"\n#if\n\"\"\");", "src/Silo/Program.cs")));
    }

    [Fact]
    public void Empty_catches_are_found()
    {
        Assert.Single(Rules.EmptyCatches(Sample("try { Go(); } catch (Exception) { /* never mind */ }")));
        Assert.Single(Rules.EmptyCatches(Sample("try { Go(); } catch (IOException) { }")));
        Assert.Empty(Rules.EmptyCatches(Sample("try { Go(); } catch (IOException) { /* The file was gone already. */ }")));
        Assert.Empty(Rules.EmptyCatches(Sample("try { Go(); } catch (IOException e) { Say(e); }")));
    }

    [Fact]
    public void Async_void_is_found()
    {
        Assert.Single(Rules.AsyncVoid(Sample("async void Local() => await Go();")));
        Assert.Empty(Rules.AsyncVoid(Sample("async Task Local() => await Go();")));
    }

    [Fact]
    public void Skips_and_waits_are_found()
    {
        Assert.Single(Rules.SkippedTests(new("tests/A.cs", "class A { [Fact(Skip = \"why\")] void M() { } }")));
        Assert.Single(Rules.WaitsInTests(Sample("await Task.Delay(1);", "tests/A.cs")));
        Assert.Single(Rules.WaitsInTests(Sample("Thread.Sleep(1);", "tests/A.cs")));
        Assert.Empty(Rules.WaitsInTests(Sample("await barrier.Task;", "tests/A.cs")));
    }

    [Fact]
    public void Unfinished_work_is_found()
    {
        Assert.Single(Rules.UnfinishedWork(Sample("throw new NotImplementedException();")));
        Assert.Single(Rules.UnfinishedWork(Sample("Go(); // TODO: later")));
    }

    [Fact]
    public void Exceptions_only_shrink()
    {
        var exceptions = new Exceptions("file a.cs 450 # why\n");
        Assert.Empty(exceptions.Judge("file", Real(("a.cs", 450))));
        Assert.Single(exceptions.Judge("file", Real(("a.cs", 451))));
        Assert.Single(exceptions.Judge("file", Real(("a.cs", 440))));
        Assert.Single(exceptions.Judge("file", Real()));
        Assert.Equal(2, exceptions.Judge("file", Real(("b.cs", 401))).Count());
        Assert.Throws<FormatException>(() => new Exceptions("file a.cs"));
    }

    private static Dictionary<string, (int, string)> Real(params (string Path, int Lines)[] files) =>
        files.ToDictionary(file => file.Path, file => (file.Lines, file.Path));

    private static SourceFile Sample(string statements, string path = "src/Core/Sample.cs") =>
        new(path, $"class C\n{{\n  async Task M() {{\n{statements}\n }} }}\n");
}
