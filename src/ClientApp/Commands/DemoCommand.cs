using System.CommandLine;
using System.Security.Cryptography;
using Spectre.Console;
using Watch.ClientApp.CommandLine;
using Watch.ClientApp.Demo;
using Watch.ClientApp.Output;

namespace Watch.ClientApp.Commands;

/// <summary><c>watch demo [DIR]</c>: shows, and verifies, the main job on a real tree, with a server of its own.</summary>
internal static class DemoCommand
{
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(3);
    private static readonly Argument<string?> s_directory = new("DIR") { Description = "The tree to work with, which is copied, never changed; by default the working directory.", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Option<int?> s_seed = SharedOptions.Number("--seed", "What the changes are drawn from; by default a new one, which is printed.", 0, int.MaxValue);

    public static Command Create() =>
        new Command("demo", "Imports a tree, mirrors it while it changes, kills the server in the middle, and verifies what everybody saw.") { s_directory, s_seed }.Does(RunAsync);

    private static async Task<int> RunAsync(CommandContext context, CancellationToken cancellationToken)
    {
        var source = Path.GetFullPath(context.Parsed.GetValue(s_directory) ?? Directory.GetCurrentDirectory());
        if (!Directory.Exists(source))
            throw new CommandFailedException($"the directory '{source}' does not exist");
        var seed = context.Parsed.GetValue(s_seed) ?? RandomNumberGenerator.GetInt32(int.MaxValue);
        var folder = Directory.CreateTempSubdirectory("watch-demo-").FullName;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(s_limit);
        var view = new DemoView(context, TimeProvider.System);
        try
        {
            DemoResult? result = null;
            await view.WhileAsync(async () => result = await new Demonstration(view, TimeProvider.System, source, folder, seed).RunAsync(limit.Token));
            return Tell(context, result!);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new CommandFailedException($"the demonstration was not done within {s_limit.TotalMinutes:F0} minutes; it was at: {view.Step}");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static int Tell(CommandContext context, DemoResult result)
    {
        foreach (var failure in result.Failures)
            CommandContext.Complain(failure);
        if (context.IsJson)
            TellJson(context, result);
        else
            TellTable(context, result);
        return result.Failures.Count == 0 ? ExitCode.Ok : ExitCode.Failed;
    }

    private static void TellJson(CommandContext context, DemoResult result)
    {
        foreach (var (name, count) in result.Counts)
            context.Output.Line(json => json.Text("type", "count").Text("name", name).Number("count", count), () => "");
        foreach (var (name, latency) in result.Latencies)
            context.Output.Line(json => latency.Fields(json.Text("type", "latency").Text("name", name)), () => "");
        context.Output.Line(json => json.Text("type", result.Failures.Count == 0 ? "verified" : "failed").Texts("failures", result.Failures), () => "");
    }

    private static void TellTable(CommandContext context, DemoResult result)
    {
        var table = new Table().AddColumn("what").AddColumn(new TableColumn("count").RightAligned());
        foreach (var (name, count) in result.Counts)
            table.AddRow(Markup.Escape(name), $"{count:N0}");
        AnsiConsole.Write(table);

        table = new Table().AddColumn("latency in ms");
        foreach (var column in (string[])["p50", "p90", "p99", "max"])
            table.AddColumn(new TableColumn(column).RightAligned());
        foreach (var (name, latency) in result.Latencies)
            table.AddRow(Markup.Escape(name), $"{latency.P50:F2}", $"{latency.P90:F2}", $"{latency.P99:F2}", $"{latency.Max:F2}");
        AnsiConsole.Write(table);
        context.Output.Line(_ => { }, () => result.Failures.Count == 0
            ? "verified: both trees are identical, the server holds what it acknowledged, and every watcher saw exactly the committed changes of its target, in order"
            : $"FAILED: {result.Failures.Count} differences, told on standard error");
    }
}
