using System.Diagnostics;

namespace Watch.Bench.Watching;

/// <summary>One of two processes that take turns, as the one that asks sees it: it says that it is ready, and then answers each line with one.</summary>
internal sealed class Worker : IAsyncDisposable
{
    private readonly Process _process;

    private Worker(Process process, string ready)
    {
        _process = process;
        Ready = ready;
    }

    /// <summary>What it said when it was ready.</summary>
    public string Ready { get; }

    /// <summary>Starts this program again, with these arguments behind <c>watch</c>.</summary>
    public static async Task<Worker> StartAsync(params IEnumerable<string> arguments)
    {
        var process = Begin(arguments, withInput: true);
        return new Worker(process, await LineAsync(process));
    }

    /// <summary>Starts this program again, with these arguments behind <c>watch</c>.</summary>
    public static Process Begin(IEnumerable<string> arguments, bool withInput)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath ?? throw new InvalidOperationException("The path of this program is not known.")) { RedirectStandardInput = withInput, RedirectStandardOutput = true };
        start.ArgumentList.Add("watch");
        foreach (var each in arguments)
            start.ArgumentList.Add(each);
        return Process.Start(start) ?? throw new InvalidOperationException("The program did not start.");
    }

    /// <summary>Asks for something; answers with the words of its line.</summary>
    public async Task<string[]> AskAsync(string what)
    {
        await _process.StandardInput.WriteLineAsync(what);
        await _process.StandardInput.FlushAsync();
        return (await LineAsync(_process)).Split(' ');
    }

    public async ValueTask DisposeAsync()
    {
        _process.StandardInput.Close();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private static async Task<string> LineAsync(Process process) =>
        await process.StandardOutput.ReadLineAsync() ?? throw new InvalidOperationException("The measured process ended.");
}
