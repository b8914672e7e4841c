using System.Diagnostics;
using System.Runtime.InteropServices;
using Watch.ClientApp.CommandLine;

namespace Watch.ClientApp.Demo;

/// <summary>A server in a process of its own, on ports that nobody else has, which can be killed and started again on the same data.</summary>
internal sealed class DemoSilo : IAsyncDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private readonly string _data;
    private readonly int _siloPort;
    private readonly List<string> _complaints = [];
    private readonly TaskCompletionSource<string> _lost = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Process? _process;

    public DemoSilo(string data)
    {
        _data = data;
        (_siloPort, var gatewayPort) = FreePorts.Two();
        Address = new ServerAddress("127.0.0.1", gatewayPort);
    }

    public ServerAddress Address { get; }

    /// <summary>Done, with the reason, when the server ended though nobody here ended it.</summary>
    public Task<string> Lost => _lost.Task;

    /// <summary>Starts the server; answers with its line that says it is ready.</summary>
    public async Task<string> StartAsync(CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo(DotnetPath) { RedirectStandardOutput = true, RedirectStandardError = true };
        string[] arguments =
        [
            Path.Combine(AppContext.BaseDirectory, "Watch.Silo.dll"), "--data", _data, "--node", "demo",
            "--silo-port", $"{_siloPort}", "--gateway-port", $"{Address.Port}",
        ];
        foreach (var each in arguments)
            start.ArgumentList.Add(each);
        var process = new Process { StartInfo = start, EnableRaisingEvents = true };
        process.ErrorDataReceived += (_, line) => Complaint(line.Data);
        process.Exited += (_, _) => Gone(process);
        _process = process;
        process.Start();
        process.BeginErrorReadLine();

        var line = await process.StandardOutput.ReadLineAsync(cancellationToken).AsTask().WaitAsync(s_patience, cancellationToken);
        if (line?.StartsWith("watch: ready", StringComparison.Ordinal) == true)
            return line;
        lock (_complaints)
            throw new CommandFailedException($"the server did not start: {line} {string.Join(' ', _complaints)}");
    }

    /// <summary>Ends the server as a power cut would: it gets no chance to finish anything.</summary>
    public async Task KillAsync(CancellationToken cancellationToken)
    {
        if (_process is not { } process)
            return;
        _process = null;
        process.Kill(entireProcessTree: true);
        await process.WaitForExitAsync(cancellationToken);
        process.Dispose();
    }

    public async ValueTask DisposeAsync() => await KillAsync(CancellationToken.None);

    /// <summary>The host of the very runtime that runs this program, wherever it is installed.</summary>
    private static string DotnetPath
    {
        get
        {
            var name = OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet";
            var beside = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..", name));
            return File.Exists(beside) ? beside : name;
        }
    }

    private void Gone(Process process)
    {
        if (process != _process)
            return;
        lock (_complaints)
            _lost.TrySetResult($"the server ended by itself, with exit code {process.ExitCode}: {string.Join(' ', _complaints)}");
    }

    private void Complaint(string? line)
    {
        if (line is null)
            return;
        lock (_complaints)
            _complaints.Add(line);
    }
}
