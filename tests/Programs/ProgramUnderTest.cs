using System.Diagnostics;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text;
using System.Threading.Channels;

namespace Watch.Programs.Tests;

/// <summary>What a program that has ended said.</summary>
public sealed record Ended(int ExitCode, string Output, string Error)
{
    public IReadOnlyList<string> Lines => Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
}

/// <summary>One of the built programs, as a process. Lines of its output are waited for, each with a deadline.</summary>
public sealed class ProgramUnderTest : IAsyncDisposable
{
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(40);
    private readonly Process _process;
    private readonly Channel<string> _lines = Channel.CreateUnbounded<string>();
    private readonly StringBuilder _error = new();

    private ProgramUnderTest(Process process) => _process = process;

    public string Error
    {
        get
        {
            lock (_error)
                return _error.ToString();
        }
    }

    /// <summary>The folder of the built programs, as the build wrote it down.</summary>
    /// <summary>Whether the programs were built on the Orleans engine: the test project itself needs neither.</summary>
    public static bool IsOnOrleans => File.ReadAllText(Path.Combine(Folder, "Watch.Silo.deps.json")).Contains("Microsoft.Orleans.Server", StringComparison.Ordinal);

    private static string Folder { get; } = Path.GetDirectoryName(
        typeof(ProgramUnderTest).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(each => each.Key == "WatchProgram").Value)!;

    public static ProgramUnderTest Start(string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment = null)
    {
        var start = new ProcessStartInfo(Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..", "dotnet")))
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            WorkingDirectory = Path.GetTempPath(),
        };
        start.ArgumentList.Add(Path.Combine(Folder, program));
        foreach (var each in arguments)
            start.ArgumentList.Add(each);
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
            start.Environment[name] = value;
        var started = new ProgramUnderTest(new Process { StartInfo = start });
        started.Begin();
        return started;
    }

    /// <summary>Waits for a line of standard output that holds a text.</summary>
    public async Task<string> LineAsync(string text)
    {
        using var limit = new CancellationTokenSource(s_deadline);
        try
        {
            await foreach (var line in _lines.Reader.ReadAllAsync(limit.Token))
                if (line.Contains(text, StringComparison.Ordinal))
                    return line;
        }
        catch (OperationCanceledException)
        {
            Assert.Fail($"no line with '{text}' within {s_deadline.TotalSeconds} s; standard error: {Error}");
        }

        throw new InvalidOperationException($"the program ended without a line with '{text}'; standard error: {Error}");
    }

    /// <summary>Waits for the program's own end.</summary>
    public async Task<Ended> EndAsync(byte[]? input = null)
    {
        if (input is not null)
            await _process.StandardInput.BaseStream.WriteAsync(input);
        _process.StandardInput.Close();
        using var limit = new CancellationTokenSource(s_deadline);
        await _process.WaitForExitAsync(limit.Token);
        var output = new StringBuilder();
        await foreach (var line in _lines.Reader.ReadAllAsync(limit.Token))
            output.Append(line).Append('\n');
        return new Ended(_process.ExitCode, output.ToString(), Error);
    }

    /// <summary>kill -9.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
    }

    /// <summary>A signal, by its number.</summary>
    public void Signal(int signal) => Assert.Equal(0, kill(_process.Id, signal));

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            await KillAsync();
        _process.Dispose();
    }

    [DllImport("libc", SetLastError = true)]
    private static extern int kill(int process, int signal);

    private void Begin()
    {
        _process.OutputDataReceived += (_, line) =>
        {
            if (line.Data is null)
                _lines.Writer.TryComplete();
            else
                _lines.Writer.TryWrite(line.Data);
        };
        _process.ErrorDataReceived += (_, line) =>
        {
            lock (_error)
                _error.AppendLine(line.Data);
        };
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }
}
