using System.CommandLine;
using Watch.ClientApp.CommandLine;
using Watch.ClientApp.Output;
using Watch.ClientApp.Trees;
using Watch.Core;

namespace Watch.ClientApp.Commands;

/// <summary><c>watch mirror PREFIX DIR</c>: keeps a directory equal to a prefix, until Ctrl-C; started again, it goes on.</summary>
internal static class MirrorCommand
{
    private static readonly Argument<string> s_prefix = new("PREFIX") { Description = "The prefix, which begins and ends with /." };
    private static readonly Argument<string> s_directory = new("DIR") { Description = "The directory; new, empty, or made by an earlier mirror of the prefix." };
    private static readonly Option<bool> s_replace = new("--replace") { Description = "Take a directory that is not empty, and delete what is not below the prefix." };

    public static Command Create() =>
        new Command("mirror", "Keeps a directory equal to a prefix, until Ctrl-C. How far it is stands in DIR.watch-mirror.") { s_prefix, s_directory, s_replace }
            .Does(RunAsync, _ => true);

    private static async Task<int> RunAsync(CommandContext context, CancellationToken cancellationToken)
    {
        var paths = new TreePaths(context.Parsed.GetValue(s_directory)!, context.Parsed.GetValue(s_prefix)!);
        await using var connection = await context.ConnectAsync(cancellationToken);
        await new Mirror(connection.Client, paths, new MirrorReport(context)).RunAsync(context.Parsed.GetValue(s_replace), cancellationToken);
        return ExitCode.Ok;
    }

    private sealed class MirrorReport(CommandContext context) : IMirrorReport
    {
        public void Synchronized(int files, Revision revision) => context.Output.Line(
            json => json.Text("type", "synchronized").Number("files", files).Revision(revision),
            () => $"{revision,8}  synchronized: {files} files");

        public void Following(Revision revision) => context.Output.Line(
            json => json.Text("type", "registered").Revision(revision),
            () => $"{revision,8}  following");

        public void Applied(WatchEvent change) => context.Output.Line(
            json => json.Text("type", Words.Of(change.Type)).Bytes("key", change.Key.Span).Revision(change.Revision),
            () => $"{change.Revision,8}  {Words.Of(change.Type),-6}  {change.Key}");

        public void StartingOver(string why) => CommandContext.Complain($"the mirror reads everything again: {why}");
    }
}
