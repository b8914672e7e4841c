using System.CommandLine;
using Watch.ClientApp.CommandLine;
using Watch.ClientApp.Load;
using Watch.ClientApp.Output;
using Watch.Core;

namespace Watch.ClientApp.Commands;

/// <summary><c>watch load</c>: many writers of unique values and one watcher, with a record of all they were told; and the judgement over it.</summary>
internal static class LoadCommand
{
    private const int WritersDefault = 64;
    private const int PerSecondDefault = 500;
    private const int ReadersDefault = 2;

    /// <summary>How long one sending of a write, or a read, may take whose server is frozen or gone.</summary>
    private static readonly TimeSpan s_callTimeout = TimeSpan.FromSeconds(4);

    private static readonly Option<int?> s_writers = SharedOptions.Number("--writers", $"How many writers write at once. [default: {WritersDefault}]", 1, 10_000);
    private static readonly Option<int?> s_seconds = SharedOptions.Number("--seconds", "How long they write; without, until Ctrl-C or SIGTERM.", 1, 86_400);
    private static readonly Option<int?> s_perSecond = SharedOptions.Number("--per-second", $"How many writes all of them begin in a second at most. [default: {PerSecondDefault}]", 1, 1_000_000);
    private static readonly Option<int?> s_readers = SharedOptions.Number("--readers", $"How many readers read by each policy. [default: {ReadersDefault}]", 0, 1_000);
    private static readonly Option<string> s_prefix = new("--prefix") { Description = "Where the keys are written; nobody else may write there. [default: /load/]", HelpName = "/PREFIX/" };
    private static readonly Option<string> s_record = new("--record") { Description = "The file of the record; it must not exist.", HelpName = "FILE", Required = true };
    private static readonly Argument<string> s_file = new("FILE") { Description = "The file of the record." };

    public static Command Create()
    {
        var command = new Command("load", "Writes unique values with many writers, reads them by every policy, follows them with a watch, and records what all are told.")
        {
            s_writers, s_seconds, s_perSecond, s_readers, s_prefix, s_record,
            new Command("verify", "Judges a record: nothing acknowledged lost, nothing applied twice, no read too old, everything seen once and in order.") { s_file }.Does(VerifyAsync),
        };
        return command.Does(RunAsync, parsed => parsed.GetValue(s_seconds) is null);
    }

    private static async Task<int> RunAsync(CommandContext context, CancellationToken cancellationToken)
    {
        var path = context.Parsed.GetValue(s_record)!;
        if (File.Exists(path))
            throw new UsageException($"--record: the file '{path}' exists already");
        var prefix = context.Parsed.GetValue(s_prefix) ?? "/load/";
        await using var connection = await context.ConnectAsync(cancellationToken, s_callTimeout);
        await using var record = new LoadRecord(path, TimeProvider.System);
        var run = new LoadRun(connection.Client, record, Key.Of(prefix), TimeProvider.System);
        await run.RunAsync(context.Parsed.GetValue(s_writers) ?? WritersDefault, context.Parsed.GetValue(s_perSecond) ?? PerSecondDefault, context.Parsed.GetValue(s_readers) ?? ReadersDefault, context.Parsed.GetValue(s_seconds), cancellationToken);
        context.Output.Line(
            json => json.Text("type", "loaded").Number("acknowledged", record.Acknowledged).Number("unknown", record.Unknown).Number("refused", record.Refused).Number("read", record.Answered).Number("unanswered", record.Unanswered).Number("seen", record.Seen).Revision(run.Last),
            () => $"{record.Acknowledged} acknowledged, {record.Unknown} of unknown outcome, {record.Refused} refused; {record.Answered} reads, {record.Unanswered} not answered; the watcher saw {record.Seen}, up to revision {run.Last}");
        return ExitCode.Ok;
    }

    private static Task<int> VerifyAsync(CommandContext context, CancellationToken cancellationToken)
    {
        var path = context.Parsed.GetValue(s_file)!;
        if (!File.Exists(path))
            throw new UsageException($"the file '{path}' does not exist");
        var verdict = LoadVerdict.Of(File.ReadLines(path));
        context.Output.Line(
            json => json.Text("type", verdict.Failures.Count == 0 ? "verified" : "failed")
                .Number("acknowledged", verdict.Acknowledged).Number("unknown", verdict.Unknown).Number("unknownApplied", verdict.UnknownApplied)
                .Number("reads", verdict.Reads.Values.Sum()).Number("seen", verdict.Seen).Number("longestGapMs", verdict.LongestGapMs).Texts("failures", verdict.Failures),
            () => string.Join('\n', [
                $"{verdict.Acknowledged} acknowledged, {verdict.Unknown} of unknown outcome ({verdict.UnknownApplied} of them applied), {verdict.Seen} seen; longest time without an acknowledgement {verdict.LongestGapMs} ms",
                $"reads: {string.Join(", ", verdict.Reads.Select(each => $"{each.Value} {each.Key}"))}; not answered: {verdict.Unanswered}",
                .. verdict.Failures.Select(each => $"FAILED: {each}"),
                verdict.Failures.Count == 0 ? "verified: nothing lost, nothing twice, no read too old, everything seen once and in order" : $"{verdict.Failures.Count} failures"]));
        return Task.FromResult(verdict.Failures.Count == 0 ? ExitCode.Ok : ExitCode.Failed);
    }
}
