using System.Net;
using System.Net.Sockets;
using System.Text.Json;

namespace Watch.Programs.Tests;

/// <summary>A server process on ports and data of its own, and commands that are connected to it.</summary>
public sealed class Server : IAsyncDisposable
{
    private ProgramUnderTest? _process;

    public Server()
    {
        using var first = new TcpListener(IPAddress.Loopback, 0);
        using var second = new TcpListener(IPAddress.Loopback, 0);
        first.Start();
        second.Start();
        (SiloPort, GatewayPort) = (((IPEndPoint)first.LocalEndpoint).Port, ((IPEndPoint)second.LocalEndpoint).Port);
    }

    public int SiloPort { get; }

    public int GatewayPort { get; }

    public string Folder { get; } = Directory.CreateTempSubdirectory("watch-test-").FullName;

    public string Data => Path.Combine(Folder, "data");

    public ProgramUnderTest Process => _process!;

    public ProgramUnderTest Launch(params string[] more) => LaunchOn(Data, more);

    public ProgramUnderTest LaunchOn(string data, params string[] more) =>
        ProgramUnderTest.Start("Watch.Silo.dll", ["--data", data, "--silo-port", $"{SiloPort}", "--gateway-port", $"{GatewayPort}", .. more]);

    public async Task<string> StartAsync()
    {
        _process = Launch();
        return await _process.LineAsync("watch: ready");
    }

    public ProgramUnderTest Begin(params string[] arguments) => ProgramUnderTest.Start("watch.dll", ["--connect", $"127.0.0.1:{GatewayPort}", .. arguments]);

    public async Task<Ended> RunAsync(params string[] arguments)
    {
        await using var program = Begin(arguments);
        return await program.EndAsync();
    }

    /// <summary>Runs a command that must succeed; answers with its JSON objects.</summary>
    public async Task<IReadOnlyList<JsonElement>> JsonAsync(params string[] arguments)
    {
        var ended = await RunAsync([.. arguments, "--output", "json"]);
        Assert.True(ended.ExitCode == 0, $"{string.Join(' ', arguments)}: exit code {ended.ExitCode}: {ended.Error}");
        return [.. ended.Lines.Select(line => JsonDocument.Parse(line).RootElement)];
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
            await _process.DisposeAsync();
        Directory.Delete(Folder, recursive: true);
    }
}
