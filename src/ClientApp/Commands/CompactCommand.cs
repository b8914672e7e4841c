using System.CommandLine;
using Watch.ClientApp.CommandLine;
using Watch.Core;

namespace Watch.ClientApp.Commands;

/// <summary><c>watch compact REVISION</c> or <c>--keep N</c>: gives up history, so that it takes no room.</summary>
internal static class CompactCommand
{
    private static readonly Argument<long?> s_through = new("REVISION")
    {
        Description = "The last revision whose history is given up.",
        Arity = ArgumentArity.ZeroOrOne,
        CustomParser = result =>
        {
            if (long.TryParse(result.Tokens[0].Value, System.Globalization.NumberStyles.None, null, out var revision) && revision > 0)
                return revision;
            result.AddError($"REVISION: '{result.Tokens[0].Value}' is not a whole number from 1 to {long.MaxValue}.");
            return null;
        },
    };

    private static readonly Option<long?> s_keep = SharedOptions.Number("--keep", "How many revisions, the newest ones, keep their history instead.", 0, long.MaxValue);

    public static Command Create()
    {
        var command = new Command("compact", "Gives up history: watches and reads from before it are refused from then on.") { s_through, s_keep };
        command.Validators.Add(result =>
        {
            var through = result.GetResult(s_through) is { Tokens.Count: > 0 };
            var keep = result.GetResult(s_keep) is { Tokens.Count: > 0 };
            if (through == keep)
                result.AddError("what to give up is told either by REVISION or by --keep N, one of the two.");
        });
        return command.Does(RunAsync);
    }

    private static async Task<int> RunAsync(CommandContext context, CancellationToken cancellationToken)
    {
        await using var connection = await context.ConnectAsync(cancellationToken);
        var through = context.Parsed.GetValue(s_through);
        if (context.Parsed.GetValue(s_keep) is { } keep)
        {
            var status = await connection.Client.StatusAsync(cancellationToken);
            through = Math.Max(status.Revision.Value - keep, status.Compacted.Value);
        }

        // Nothing to give up is what --keep of more than there is comes to.
        var compacted = through is 0 ? Revision.None : await connection.Cluster.CompactAsync(new Revision(through!.Value), cancellationToken);
        context.Output.Line(json => json.Number("compacted", compacted.Value), () => $"history begins at revision {compacted.Next}");
        return ExitCode.Ok;
    }
}
