using System.CommandLine;
using Spectre.Console;
using Watch.ClientApp.CommandLine;
using Watch.ClientApp.Output;
using Watch.ClientApp.Trees;
using Watch.Core;

namespace Watch.ClientApp.Commands;

/// <summary><c>watch import DIR PREFIX</c>: puts every file of a directory tree under a prefix; <c>--follow</c> goes on with its changes.</summary>
internal static class ImportCommand
{
    private static readonly Argument<string> s_directory = new("DIR") { Description = "The directory." };
    private static readonly Argument<string> s_prefix = new("PREFIX") { Description = "The prefix, which begins and ends with /." };
    private static readonly Option<bool> s_follow = new("--follow") { Description = "Go on with the changes of the directory, until Ctrl-C." };

    public static Command Create() =>
        new Command("import", "Puts every file of a directory tree under a prefix. Links are not followed.") { s_directory, s_prefix, s_follow }
            .Does(RunAsync, parsed => parsed.GetValue(s_follow));

    private static async Task<int> RunAsync(CommandContext context, CancellationToken cancellationToken)
    {
        var paths = new TreePaths(context.Parsed.GetValue(s_directory)!, context.Parsed.GetValue(s_prefix)!);
        if (!Directory.Exists(paths.Root))
            throw new CommandFailedException($"the directory '{paths.Root}' does not exist");

        await using var connection = await context.ConnectAsync(cancellationToken);
        var follow = context.Parsed.GetValue(s_follow);
        // To follow begins before the first reading, so that nothing falls between.
        using var follower = follow ? new DirectoryFollower(paths) : null;
        var report = new ImportReport(context, quiet: context.IsDrawing);
        var writer = new KeyWriter(connection.Client);
        var importer = new Importer(paths, new TreeWriter(writer.PutAsync, writer.DeleteAsync), report);

        await DrawAsync(context, report, importer, cancellationToken);
        report.Summarize();
        report.Quiet = false;
        while (follower is not null)
        {
            var changed = await follower.NextAsync(cancellationToken);
            foreach (var path in changed)
                await importer.ReconcileAsync(path, cancellationToken);
            if (changed.Count == 0)
                await importer.LookAroundAsync(cancellationToken);
        }

        return report.FailedCount == 0 ? ExitCode.Ok : ExitCode.Failed;
    }

    private static async Task DrawAsync(CommandContext context, ImportReport report, Importer importer, CancellationToken cancellationToken)
    {
        var files = importer.List();
        if (!context.IsDrawing)
        {
            await importer.PutAllAsync(files, cancellationToken);
            return;
        }

        await AnsiConsole.Progress().Columns(new SpinnerColumn(), new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
            .StartAsync(async progress =>
            {
                var bar = progress.AddTask($"{files.Count} files", maxValue: Math.Max(1, files.Count));
                report.Progress = () => bar.Increment(1);
                await importer.PutAllAsync(files, cancellationToken);
                bar.Value = bar.MaxValue;
            });
    }

    /// <summary>Says what was put, as lines; counts; and complains at once of what stays out.</summary>
    private sealed class ImportReport(CommandContext context, bool quiet) : IImportReport
    {
        private readonly Lock _gate = new();
        private long _files;
        private long _bytes;
        private Revision _last;

        public bool Quiet { get; set; } = quiet;

        public Action Progress { get; set; } = () => { };

        public int FailedCount { get; private set; }

        public void Put(Key key, long bytes, Revision revision)
        {
            lock (_gate)
            {
                _files++;
                _bytes += bytes;
                _last = Revision.Max(_last, revision);
                Progress();
            }

            if (!Quiet)
                context.Output.Line(json => json.Text("type", "put").Bytes("key", key.Span).Revision(revision), () => $"{revision,8}  put     {key}  {Words.Bytes(bytes)}");
        }

        public void Deleted(Key key, Revision revision) =>
            context.Output.Line(json => json.Text("type", "delete").Bytes("key", key.Span).Revision(revision), () => $"{revision,8}  delete  {key}");

        public void Failed(string path, string why)
        {
            lock (_gate)
            {
                FailedCount++;
                Progress();
            }

            CommandContext.Complain($"not imported: {path}: {why}");
        }

        public void Summarize() => context.Output.Line(
            json => json.Text("type", "imported").Number("files", _files).Number("failed", FailedCount).Number("bytes", _bytes).Revision(_last),
            () => $"imported {_files} files, {Words.Bytes(_bytes)}{(FailedCount == 0 ? "" : $"; {FailedCount} failed")}; last revision {_last}");
    }
}
