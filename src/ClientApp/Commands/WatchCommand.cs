using System.CommandLine;
using Watch.ClientApp.CommandLine;
using Watch.ClientApp.Output;
using Watch.Core;

namespace Watch.ClientApp.Commands;

/// <summary><c>watch watch KEY</c> or <c>--prefix /PREFIX/</c>: prints every change, across restarts of the server, until Ctrl-C.</summary>
internal static class WatchCommand
{
    private static readonly Argument<string?> s_key = new("KEY") { Description = "The key to follow.", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Option<string?> s_prefix = new("--prefix") { Description = "Follow every key below this prefix instead; it begins and ends with /.", HelpName = "/PREFIX/" };
    private static readonly Option<long?> s_from = SharedOptions.Number("--from", "The first revision to show, from history; without, the one after now.", 1, long.MaxValue);
    private static readonly Option<bool> s_previous = new("--prev") { Description = "Show the value before each change, too." };
    private static readonly Option<int?> s_queue = SharedOptions.Number("--queue", "How many events wait for a slow reader before the watch is canceled.", 1, 1_000_000);

    public static Command Create()
    {
        var command = new Command("watch", "Prints every change of a key or below a prefix, until Ctrl-C.") { s_key, s_prefix, s_from, s_previous, s_queue };
        command.Validators.Add(result =>
        {
            var key = result.GetResult(s_key) is { Tokens.Count: > 0 };
            var prefix = result.GetResult(s_prefix) is { Tokens.Count: > 0 };
            if (key == prefix)
                result.AddError("what to watch is given either as KEY or as --prefix /PREFIX/, one of the two.");
        });
        return command.Does(RunAsync, _ => true);
    }

    private static async Task<int> RunAsync(CommandContext context, CancellationToken cancellationToken)
    {
        await using var connection = await context.ConnectAsync(cancellationToken);
        await using var stream = await connection.Client.WatchAsync(Target(context.Parsed), Options(context.Parsed), cancellationToken);
        context.Output.Line(json => json.Text("type", "registered").Revision(stream.Start), () => $"{stream.Start,8}  watching {Target(context.Parsed)} from the next revision on");

        await foreach (var each in stream.WithCancellation(cancellationToken))
        {
            context.Output.Line(json => json.Event(each), () => Words.Event(each));
            if (each.Type != WatchEventType.Canceled)
                continue;
            CommandContext.Complain($"the watch ended ({Words.Of(each.Reason)}) after revision {each.Revision}: {each.Message}");
            return ExitCode.Failed;
        }

        return ExitCode.Ok;
    }

    private static WatchTarget Target(ParseResult parsed) =>
        parsed.GetValue(s_prefix) is { } prefix ? WatchTarget.Prefix(prefix) : WatchTarget.Key(parsed.GetValue(s_key)!);

    private static WatchOptions Options(ParseResult parsed) => new()
    {
        StartAt = parsed.GetValue(s_from) is { } from ? new Revision(from) : null,
        PreviousValues = parsed.GetValue(s_previous),
        QueueEventsMax = parsed.GetValue(s_queue),
    };
}
