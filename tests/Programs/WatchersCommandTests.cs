using System.Text.Json;

namespace Watch.Programs.Tests;

/// <summary>What the command line says of watches, and how it ends one.</summary>
public sealed class WatchersCommandTests
{
    [Fact]
    public async Task Watches_are_listed_with_all_that_an_operator_asks_for_and_one_is_ended()
    {
        await using var server = new Server();
        await server.StartAsync();
        await using var watch = server.Begin("watch", "--prefix", "/config/", "--snapshot", "--when-slow", "drop-newest", "--output", "json");
        await using var other = server.Begin("watch", "/else", "--output", "json");
        await watch.LineAsync("synced");
        await ListedAsync(server, 2);
        Assert.Equal(0, (await server.RunAsync("put", "/config/a", "1")).ExitCode);
        await watch.LineAsync("/config/a");

        var one = Assert.Single(await server.JsonAsync("watchers", "--target", "/config/"));
        string[] numbers = ["id", "cursor", "taken", "queuedEvents", "queuedBytes", "lagged", "lagRevisions", "lagMs", "ageMs", "takenAgoMs"];
        Assert.All(numbers, name => Assert.True(one.GetProperty(name).GetInt64() >= 0, $"{name} of {one}"));
        Assert.Equal(
            ("watcher", "node1", "prefix '/config/'", "live", "it is given every change as it comes", "dropNewest"),
            (Text(one, "type"), Text(one, "silo"), Text(one, "target"), Text(one, "state"), Text(one, "why"), Text(one, "whenSlow")));
        Assert.True(one.GetProperty("taken").GetInt64() >= 1 && one.GetProperty("cursor").GetInt64() >= one.GetProperty("taken").GetInt64(), one.ToString());

        var name = $"{Text(one, "silo")}/{one.GetProperty("id").GetInt64()}";
        var listed = await server.RunAsync("watchers", "--silo", "node1");
        Assert.Equal(0, listed.ExitCode);
        Assert.Contains($"{name}  prefix '/config/'  live: it is given every change", listed.Output, StringComparison.Ordinal);
        Assert.Contains("when slow: dropNewest", listed.Output, StringComparison.Ordinal);
        Assert.Contains("last taken", listed.Output, StringComparison.Ordinal);
        Assert.Contains("nothing taken yet", listed.Output, StringComparison.Ordinal);

        var ended = Assert.Single(await server.JsonAsync("watchers", "end", name));
        Assert.Equal(("ended", "node1", one.GetProperty("id").GetInt64()), (Text(ended, "type"), Text(ended, "silo"), ended.GetProperty("id").GetInt64()));
        Assert.Contains("removed", await watch.LineAsync("\"canceled\""), StringComparison.Ordinal);
        Assert.Equal(1, (await watch.EndAsync()).ExitCode);
        Assert.Equal("key '/else'", Text(Assert.Single(await server.JsonAsync("watchers")), "target"));
    }

    [Fact]
    public async Task What_cannot_be_ended_or_listed_is_told_by_exit_code_and_in_words()
    {
        await using var server = new Server();
        await server.StartAsync();
        Assert.Empty(await server.JsonAsync("watchers"));
        await FailsAsync(1, "silo node1 has no watch 77", "watchers", "end", "node1/77");
        await FailsAsync(1, "nobody", "watchers", "end", "nobody/1");
        await FailsAsync(1, "nobody", "watchers", "--silo", "nobody");
        await FailsAsync(2, "is not a silo's name, a slash and a number", "watchers", "end", "node1");
        await FailsAsync(2, "is not a silo's name, a slash and a number", "watchers", "end", "node1/x");
        await FailsAsync(2, "is not a silo's name, a slash and a number", "watchers", "end", "/1");

        async Task FailsAsync(int code, string says, params string[] arguments)
        {
            var ended = await server.RunAsync(arguments);
            Assert.True(ended.ExitCode == code, $"{string.Join(' ', arguments)}: exit code {ended.ExitCode}: {ended.Error}");
            Assert.Contains(says, ended.Error, StringComparison.Ordinal);
        }
    }

    /// <summary>Waits until so many watches are listed; each question takes a process, so that this ends.</summary>
    private static async Task ListedAsync(Server server, int count)
    {
        for (var attempt = 0; attempt < 40; attempt++)
        {
            if ((await server.JsonAsync("watchers")).Count == count)
                return;
        }

        Assert.Fail($"there are not {count} watches");
    }

    private static string? Text(JsonElement element, string name) => element.GetProperty(name).GetString();
}
