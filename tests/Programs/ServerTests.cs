using System.Text.Json;

namespace Watch.Programs.Tests;

public sealed class ServerTests
{
    private const int Sigterm = 15;

    [Fact]
    public async Task What_was_acknowledged_survives_a_kill_and_a_watch_goes_on()
    {
        await using var server = new Server();
        await server.StartAsync();
        await using var watch = server.Begin("watch", "--prefix", "/kept/", "--output", "json");
        await watch.LineAsync("registered");
        var revisions = new List<long>();
        for (var i = 0; i < 5; i++)
            revisions.Add((await server.JsonAsync("put", $"/kept/{i}", $"value {i}"))[0].GetProperty("revision").GetInt64());

        await server.Process.KillAsync();
        await server.StartAsync();
        var kept = await server.JsonAsync("scan", "/kept/");
        Assert.Equal(revisions, kept.Select(each => each.GetProperty("modRevision").GetInt64()));
        await server.JsonAsync("put", "/kept/after", "restart");

        var seen = new List<long>();
        while (seen.Count < 6)
            seen.Add(JsonDocument.Parse(await watch.LineAsync("{")).RootElement.GetProperty("revision").GetInt64());
        Assert.Equal([.. revisions, revisions[^1] + 1], seen);
        server.Process.Signal(Sigterm);
        Assert.Equal(0, (await server.Process.EndAsync()).ExitCode);
    }

    [Fact]
    public async Task A_torn_tail_is_cut_and_told_and_all_before_it_kept()
    {
        await using var server = new Server();
        await server.StartAsync();
        await server.JsonAsync("put", "/a", "one");
        await server.Process.KillAsync();
        var log = LogOf(server);
        var end = EndOfData(log);
        // Half a batch, as a write that was cut off leaves it.
        using (var file = File.OpenHandle(log, FileMode.Open, FileAccess.Write))
            RandomAccess.Write(file, File.ReadAllBytes(log).AsSpan((int)end - 20, 20), end);

        await server.StartAsync();
        Assert.Equal("one", (await server.JsonAsync("get", "/a"))[0].GetProperty("value").GetString());
        Assert.Contains(Path.GetFileName(log), server.Process.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_flipped_byte_in_the_middle_keeps_the_server_from_starting_and_is_named()
    {
        await using var server = new Server();
        await server.StartAsync();
        for (var i = 0; i < 5; i++)
            await server.JsonAsync("put", $"/a/{i}", "value");
        server.Process.Signal(Sigterm);
        await server.Process.EndAsync();
        var log = LogOf(server);
        var bytes = await File.ReadAllBytesAsync(log);
        bytes[EndOfData(log) / 2] ^= 1;
        await File.WriteAllBytesAsync(log, bytes);

        await using var refused = server.Launch();
        var ended = await refused.EndAsync();
        Assert.Equal((1, ""), (ended.ExitCode, ended.Output));
        Assert.Contains(log, ended.Error, StringComparison.Ordinal);
        Assert.Contains("offset", ended.Error, StringComparison.Ordinal);
        Assert.Single(ended.Error.Trim().Split('\n'));
    }

    [Fact]
    public async Task Ports_and_folders_in_use_and_bad_settings_are_told_in_one_line()
    {
        await using var server = new Server();
        await server.StartAsync();
        await using var samePort = server.Launch();
        // Which of the two ports it meets first depends on the engine: only Orleans listens to other silos.
        await ExpectAsync(samePort, "is in use by another program; choose a free one");

        await using var elsewhere = new Server();
        await using var sameFolder = elsewhere.LaunchOn(server.Data);
        await ExpectAsync(sameFolder, server.Data);

        var file = Path.Combine(server.Folder, "file");
        await File.WriteAllTextAsync(file, "");
        await using var unwritable = elsewhere.LaunchOn(Path.Combine(file, "below"));
        await ExpectAsync(unwritable, file);

        await using var badSetting = ProgramUnderTest.Start(
            "Watch.Silo.dll",
            ["--data", elsewhere.Data, "--silo-port", $"{elsewhere.SiloPort}", "--gateway-port", $"{elsewhere.GatewayPort}"],
            new Dictionary<string, string> { ["WATCH_WATCHERSMAX"] = "0" });
        await ExpectAsync(badSetting, "WatchersMax");
    }

    [Fact]
    public async Task An_unknown_option_of_the_server_exits_with_2()
    {
        await using var server = new Server();
        await using var process = server.Launch("--frobnicate");
        var ended = await process.EndAsync();
        Assert.Equal(2, ended.ExitCode);
        Assert.Contains("--frobnicate", ended.Error, StringComparison.Ordinal);
    }

    private static async Task ExpectAsync(ProgramUnderTest program, string named)
    {
        var ended = await program.EndAsync();
        Assert.Equal((1, ""), (ended.ExitCode, ended.Output));
        Assert.Contains(named, ended.Error, StringComparison.Ordinal);
        Assert.Single(ended.Error.Trim().Split('\n'));
    }

    private static string LogOf(Server server) => Directory.GetFiles(Path.Combine(server.Data, "log")).Order(StringComparer.Ordinal).Last();

    /// <summary>Where the zeros begin with which the log fills its file in advance.</summary>
    private static long EndOfData(string log) => Array.FindLastIndex(File.ReadAllBytes(log), each => each != 0) + 1;
}
