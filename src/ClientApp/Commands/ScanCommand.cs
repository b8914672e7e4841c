using System.CommandLine;
using Watch.ClientApp.CommandLine;
using Watch.ClientApp.Output;
using Watch.Core;

namespace Watch.ClientApp.Commands;

/// <summary><c>watch scan PREFIX</c>: lists the keys that begin with a prefix, all at one revision.</summary>
internal static class ScanCommand
{
    private static readonly Argument<string> s_prefix = new("PREFIX") { Description = "What the keys begin with; empty for all." };

    public static Command Create() =>
        new Command("scan", "Lists the keys that begin with a prefix, in byte order, all at one revision.") { s_prefix, Freshness.Option }.Does(RunAsync);

    private static async Task<int> RunAsync(CommandContext context, CancellationToken cancellationToken)
    {
        await using var connection = await context.ConnectAsync(cancellationToken);
        var request = new ScanRequest(Key.Of(context.Parsed.GetValue(s_prefix)!), Policy: context.Parsed.GetValue(Freshness.Option));
        long count = 0;
        ScanResult page;
        do
        {
            page = await connection.Client.ScanAsync(request, cancellationToken);
            foreach (var entry in page.Keys)
                context.Output.Line(json => json.KeyValue(entry).Revision(page.Revision), () => Words.KeyValue(entry));
            count += page.Keys.Length;
            if (page.More)
                request = request with { After = page.Keys[^1].Key, At = page.Revision };
        }
        while (page.More);

        if (!context.IsJson)
            context.Output.Line(_ => { }, () => $"{count} {(count == 1 ? "key" : "keys")} at revision {page.Revision}");
        return ExitCode.Ok;
    }
}
