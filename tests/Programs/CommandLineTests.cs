using System.Text.Json;

namespace Watch.Programs.Tests;

/// <summary>One server for all tests of this class, which use keys of their own.</summary>
public sealed class RunningServer : IAsyncLifetime
{
    public Server Server { get; } = new();

    public string ReadyLine { get; private set; } = "";

    public async Task InitializeAsync() => ReadyLine = await Server.StartAsync();

    public async Task DisposeAsync() => await Server.DisposeAsync();
}

public sealed class CommandLineTests(RunningServer running) : IClassFixture<RunningServer>
{
    private const int Sigint = 2;
    private readonly Server _server = running.Server;

    [Fact]
    public void The_ready_line_names_node_data_ports_and_engine()
    {
        Assert.Contains("node=node1", running.ReadyLine, StringComparison.Ordinal);
        Assert.Contains($"gateway=127.0.0.1:{_server.GatewayPort}", running.ReadyLine, StringComparison.Ordinal);
        Assert.Contains($"data={_server.Data}", running.ReadyLine, StringComparison.Ordinal);
        Assert.Matches("engine=(Orleans|Embedded)", running.ReadyLine);
    }

    [Fact]
    public async Task Json_objects_have_just_the_promised_fields()
    {
        var put = Assert.Single(await _server.JsonAsync("put", "/json/a", "one"));
        Assert.Equal(["revision"], Names(put));
        var get = Assert.Single(await _server.JsonAsync("get", "/json/a"));
        Assert.Equal(["key", "value", "createRevision", "modRevision", "version"], Names(get));
        Assert.Equal("one", get.GetProperty("value").GetString());
        var scan = Assert.Single(await _server.JsonAsync("scan", "/json/"));
        Assert.Equal(["key", "value", "createRevision", "modRevision", "version", "revision"], Names(scan));

        await using var bytes = _server.Begin("put", "/json/bytes", "-");
        Assert.Equal(0, (await bytes.EndAsync([0xFF, 0x00])).ExitCode);
        get = Assert.Single(await _server.JsonAsync("get", "/json/bytes"));
        Assert.Equal([0xFF, 0x00], get.GetProperty("valueBase64").GetBytesFromBase64());
        Assert.False(get.TryGetProperty("value", out _));
    }

    [Fact]
    public async Task A_read_is_as_fresh_as_asked_for()
    {
        var put = Assert.Single(await _server.JsonAsync("put", "/fresh/a", "one"));
        var revision = put.GetProperty("revision").GetInt64();
        foreach (var policy in (string[])["linearizable", "lease", "eventual", $"{revision}"])
        {
            Assert.Equal("one", Assert.Single(await _server.JsonAsync("get", "/fresh/a", "--read", policy)).GetProperty("value").GetString());
            Assert.True(Assert.Single(await _server.JsonAsync("scan", "/fresh/", "--read", policy)).GetProperty("revision").GetInt64() >= revision);
        }

        await using var wrong = _server.Begin("get", "/fresh/a", "--read", "soon");
        var end = await wrong.EndAsync();
        Assert.Equal(2, end.ExitCode);
        Assert.Contains("linearizable, lease or eventual", end.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_watch_prints_its_registration_then_events_and_ends_with_Ctrl_C()
    {
        await using var watch = _server.Begin("watch", "--prefix", "/watched/", "--prev", "--output", "json");
        var registered = JsonDocument.Parse(await watch.LineAsync("{")).RootElement;
        Assert.Equal("registered", registered.GetProperty("type").GetString());
        await _server.JsonAsync("put", "/watched/a", "one");
        await _server.JsonAsync("put", "/watched/a", "two");
        await _server.JsonAsync("delete", "/watched/a");

        var first = JsonDocument.Parse(await watch.LineAsync("{")).RootElement;
        Assert.Equal(["type", "key", "value", "prevValue", "revision"], Names(first));
        Assert.Equal(JsonValueKind.Null, first.GetProperty("prevValue").ValueKind);
        var second = JsonDocument.Parse(await watch.LineAsync("{")).RootElement;
        Assert.Equal("one", second.GetProperty("prevValue").GetString());
        var third = JsonDocument.Parse(await watch.LineAsync("{")).RootElement;
        Assert.Equal(("delete", "two"), (third.GetProperty("type").GetString(), third.GetProperty("prevValue").GetString()));
        watch.Signal(Sigint);
        Assert.Equal(0, (await watch.EndAsync()).ExitCode);
    }

    [Fact]
    public async Task A_watch_follows_several_targets_leaves_out_what_it_is_told_and_goes_on_from_a_cursor()
    {
        string[] targets = ["watch", "/several/key", "--any-prefix", "/several/pre", "--range", "/several/r1../several/r3", "--glob", "/several/*/leaf", "--no-deletes", "--output", "json"];
        await using var watch = _server.Begin(targets);
        var cursor = JsonDocument.Parse(await watch.LineAsync("{")).RootElement.GetProperty("cursor").GetString()!;
        string[] followed = ["/several/key", "/several/prefix", "/several/r2", "/several/x/leaf"];
        foreach (var key in followed)
        {
            await _server.JsonAsync("put", "/several/other", "no");
            await _server.JsonAsync("put", key, "yes");
            await _server.JsonAsync("delete", key);
        }

        await using var again = _server.Begin([.. targets, "--from", cursor]);
        Assert.Equal("registered", Type(await again.LineAsync("{")));
        foreach (var key in followed)
        {
            Assert.Equal(key, Key(await watch.LineAsync("{")));
            Assert.Equal(key, Key(await again.LineAsync("{")));
        }

        await using var other = _server.Begin("watch", "/several/key", "--from", cursor, "--output", "json");
        var end = await other.EndAsync();
        Assert.Equal((2, ""), (end.ExitCode, end.Output));
        Assert.Contains("cursor", end.Error, StringComparison.Ordinal);

        static string Key(string line) => JsonDocument.Parse(line).RootElement.GetProperty("key").GetString()!;
        static string Type(string line) => JsonDocument.Parse(line).RootElement.GetProperty("type").GetString()!;
    }

    [Fact]
    public async Task A_watch_with_a_snapshot_shows_what_there_is_then_what_changes()
    {
        await _server.JsonAsync("put", "/there/a", "1");
        await _server.JsonAsync("put", "/there/b", "2");
        await using var watch = _server.Begin("watch", "--prefix", "/there/", "--snapshot", "--output", "json");
        var lines = new List<JsonElement>();
        while (lines.Count < 5)
            lines.Add(JsonDocument.Parse(await watch.LineAsync("{")).RootElement);
        await _server.JsonAsync("put", "/there/c", "3");
        lines.Add(JsonDocument.Parse(await watch.LineAsync("{")).RootElement);
        Assert.Equal(["registered", "snapshotBegins", "put", "put", "synced", "put"], lines.Select(each => each.GetProperty("type").GetString()));
        Assert.Equal(["/there/a", "/there/b", "/there/c"], lines.Where(each => each.TryGetProperty("key", out _)).Select(each => each.GetProperty("key").GetString()));
        Assert.Equal(["snapshot", "snapshot"], lines.Where(each => each.TryGetProperty("cause", out var cause) && each.GetProperty("type").GetString() == "put").Select(each => each.GetProperty("cause").GetString()));
    }

    [Fact]
    public async Task History_that_is_given_up_is_gone_and_watches_from_before_it_say_so()
    {
        var revision = (await _server.JsonAsync("put", "/old/a", "1"))[0].GetProperty("revision").GetInt64();
        await _server.JsonAsync("put", "/old/a", "2");
        Assert.Equal(revision, (await _server.JsonAsync("compact", $"{revision}"))[0].GetProperty("compacted").GetInt64());
        await using var watch = _server.Begin("watch", "/old/a", "--from", $"{revision}", "--output", "json");
        var end = await watch.EndAsync();
        Assert.Equal(1, end.ExitCode);
        Assert.Contains("compacted", end.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Conditions_that_do_not_hold_and_keys_that_are_not_there_exit_with_1()
    {
        var revision = (await _server.JsonAsync("put", "/if/a", "one"))[0].GetProperty("revision").GetInt64();
        var refused = await _server.RunAsync("put", "/if/a", "two", "--if-absent");
        Assert.Equal((1, ""), (refused.ExitCode, refused.Output));
        Assert.Contains("condition refused", refused.Error, StringComparison.Ordinal);
        Assert.Equal(1, (await _server.RunAsync("delete", "/if/a", "--if-value", "zero")).ExitCode);
        Assert.Equal(0, (await _server.RunAsync("put", "/if/a", "two", "--if-revision", $"{revision}")).ExitCode);
        Assert.Equal(1, (await _server.RunAsync("get", "/if/none")).ExitCode);
        Assert.Equal(1, (await _server.RunAsync("delete", "/if/none")).ExitCode);
    }

    public static TheoryData<string[], string> BadInput => new()
    {
        { ["put", "", "x"], "1 to 4096" },
        { ["put", new string('k', 4097), "x"], "1 to 4096" },
        { ["watch", "--prefix", "config"], "begin and end with '/'" },
        { ["watch"], "KEY" },
        { ["watch", "a", "--all"], "--all" },
        { ["watch", "--range", "/a"], "FIRST..END" },
        { ["watch", "--range", "b..a"], "b" },
        { ["watch", "--glob", "/[a"], "/[a" },
        { ["watch", "a", "--from", "0"], "nor a cursor" },
        { ["watch", "a", "--from", "w1.abc"], "nor a cursor" },
        { ["watch", "a", "--from", "1", "--snapshot"], "--snapshot" },
        { ["watch", "a", "--no-puts", "--no-deletes"], "--no-puts" },
        { ["watch", "a", "--keys-only", "--previous"], "--keys-only" },
        { ["watch", "a", "--when-slow", "never"], "drop-newest" },
        { ["watch", "a", "--queue", "0"], "from 1 to" },
        { ["watch", "a", "--progress", "99ms"], "from 100 ms" },
        { ["watch", "a", "--stale-after", "5"], "500ms or 5s" },
        { ["watchers", "end", "nonsense"], "a slash and a number" },
        { ["compact"], "--keep" },
        { ["compact", "0"], "from 1 to" },
        { ["compact", "1", "--keep", "1"], "one of the two" },
        { ["get", "--frobnicate"], "--frobnicate" },
        { ["put", "a", "b", "--frobnicate"], "--frobnicate" },
        { ["put", "a", "b", "--if-revision", "0"], "from 1 to" },
        { ["put", "a", "b", "--if-absent", "--if-value", "c"], "at most one" },
        { ["get", "a", "--output", "xml"], "text and json" },
        { ["get", "a", "--connect", "127.0.0.1:1"], "--connect" },
        { ["frobnicate"], "frobnicate" },
        { ["put", "a\uFFFD", "b"], "UTF-8" },
        { ["put", "a", "b\uFFFD"], "'watch put KEY -'" },
        { ["put", "a", "b", "--if-value", "c\uFFFD"], "--if-value" },
        { ["get", "a", "b\uFFFD"], "UTF-8" },
        { ["delete", "a\uFFFD"], "UTF-8" },
        { ["scan", "/a\uFFFD/"], "PREFIX" },
        { ["watch", "--prefix", "/a\uFFFD/"], "--prefix" },
    };

    [Theory]
    [MemberData(nameof(BadInput))]
    public async Task Bad_input_exits_with_2_and_says_what_is_allowed(string[] arguments, string said)
    {
        ArgumentNullException.ThrowIfNull(arguments);
        var ended = await _server.RunAsync(arguments);
        Assert.Equal((2, ""), (ended.ExitCode, ended.Output));
        Assert.Contains(said, ended.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", ended.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_value_over_the_limit_is_refused_and_changes_nothing()
    {
        await using var put = _server.Begin("put", "/large", "-");
        var ended = await put.EndAsync(new byte[(1 << 20) + 1]);
        Assert.Equal(2, ended.ExitCode);
        Assert.Contains("1048576", ended.Error, StringComparison.Ordinal);
        Assert.Equal(1, (await _server.RunAsync("get", "/large")).ExitCode);
    }

    [Fact]
    public async Task A_server_that_is_not_there_is_told_in_one_line()
    {
        await using var elsewhere = new Server();
        var ended = await elsewhere.RunAsync("get", "a");
        Assert.Equal(1, ended.ExitCode);
        Assert.Equal($"watch: no Watch server answers at 127.0.0.1:{elsewhere.GatewayPort}", ended.Error.Trim());
    }

    private static IEnumerable<string> Names(JsonElement element) => element.EnumerateObject().Select(each => each.Name);
}
