namespace Watch.Programs.Tests;

/// <summary>What the command line says of nodes, where the cluster is one process.</summary>
public sealed class NodeCommandTests
{
    [Fact]
    public async Task A_single_node_is_listed_followed_and_cannot_be_removed()
    {
        await using var server = new Server();
        await server.StartAsync();

        var node = Assert.Single(await server.JsonAsync("node", "list"));
        Assert.Equal(("node", "node1", "member", true), (node.GetProperty("type").GetString(), node.GetProperty("name").GetString(), node.GetProperty("standing").GetString(), node.GetProperty("reachable").GetBoolean()));
        Assert.Equal(["system leader", "default leader"], node.GetProperty("groups").EnumerateArray().Select(each => $"{each.GetProperty("group").GetString()} {each.GetProperty("role").GetString()}"));

        await using var follower = server.Begin("node", "watch", "--output", "json");
        Assert.Contains("\"leaders\":[{\"group\":\"system\",\"node\":\"node1\"", await follower.LineAsync("\"type\":\"nodes\""), StringComparison.Ordinal);

        var unknown = await server.RunAsync("node", "add", "node2");
        Assert.Equal((1, ""), (unknown.ExitCode, unknown.Output));
        Assert.Contains("No silo answers to the name 'node2'", unknown.Error, StringComparison.Ordinal);
        var last = await server.RunAsync("node", "remove", "node1", "--force");
        Assert.Equal(1, last.ExitCode);
        Assert.Contains("last node", last.Error, StringComparison.Ordinal);
        Assert.Equal("added", Assert.Single(await server.JsonAsync("node", "add", "node1"), each => each.GetProperty("type").GetString() == "added").GetProperty("type").GetString());
    }

    [Fact]
    public async Task A_load_is_recorded_and_judged_and_a_forged_record_is_noticed()
    {
        await using var server = new Server();
        await server.StartAsync();
        var record = Path.Combine(server.Folder, "record");
        var loaded = Assert.Single(await server.JsonAsync("load", "--writers", "8", "--per-second", "200", "--seconds", "2", "--record", record));
        Assert.True(loaded.GetProperty("acknowledged").GetInt64() > 0, loaded.ToString());
        Assert.Equal("verified", Assert.Single(await server.JsonAsync("load", "verify", record)).GetProperty("type").GetString());

        var lines = await File.ReadAllLinesAsync(record);
        var lost = Array.FindIndex(lines, line => line.StartsWith("e ", StringComparison.Ordinal));
        foreach (var (forged, rule) in new[] { (lines.Where((_, at) => at != lost), "V1"), (lines.SelectMany((line, at) => at == lost ? new[] { line, line } : [line]), "V2"), (lines.Append("x gone"), "V5") })
        {
            var path = Path.Combine(server.Folder, rule);
            await File.WriteAllLinesAsync(path, forged);
            var judged = await server.RunAsync("load", "verify", path);
            Assert.Equal(1, judged.ExitCode);
            Assert.Contains(rule, judged.Output, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Clustering_that_the_engine_cannot_do_and_bad_settings_are_told_in_one_line()
    {
        await using var server = new Server();
        await RefusedAsync(server, "WATCH_CLUSTERING", "Nowhere", "allowed are Localhost and AdoNet");
        await RefusedAsync(server, "WATCH_CLUSTERING", "AdoNet", "AdoNetConnectionString");
        await RefusedAsync(server, "WATCH_ADVERTISEDADDRESS", "0.0.0.0", "AdvertisedAddress");
        // The Orleans engine tries, and finds no database.
        await RefusedAsync(server, "WATCH_CLUSTERING", "AdoNet", ProgramUnderTest.IsOnOrleans ? "watch: The database that the setting Watch:AdoNetConnectionString names cannot be used: Failed to connect to 127.0.0.1:1" : "Embedded engine", ("WATCH_ADONETCONNECTIONSTRING", "Host=127.0.0.1;Port=1"));
    }

    private static async Task RefusedAsync(Server server, string setting, string value, string word, params (string Name, string Value)[] more)
    {
        var environment = more.Append((setting, value)).ToDictionary();
        await using var program = ProgramUnderTest.Start("Watch.Silo.dll", ["--data", server.Data, "--silo-port", $"{server.SiloPort}", "--gateway-port", $"{server.GatewayPort}"], environment);
        var ended = await program.EndAsync();
        Assert.Equal(1, ended.ExitCode);
        Assert.Contains(word, ended.Error, StringComparison.Ordinal);
    }
}
