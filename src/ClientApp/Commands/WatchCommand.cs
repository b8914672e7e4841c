using System.CommandLine;
using Watch.ClientApp.CommandLine;
using Watch.ClientApp.Output;
using Watch.Core;

namespace Watch.ClientApp.Commands;

/// <summary><c>watch watch</c>: prints every change of keys, prefixes, ranges or patterns, across restarts of the server, until Ctrl-C.</summary>
internal static class WatchCommand
{
    private static readonly Option<string?> s_from = new("--from") { Description = "Where to begin: a revision, from history, or a cursor that a watch of the same target printed; without, now.", HelpName = "REVISION|CURSOR" };
    private static readonly Option<bool> s_snapshot = new("--snapshot") { Description = "Show what there is first, then what changes." };
    private static readonly Option<bool> s_previous = new("--previous", "--prev") { Description = "Show the value before each change, too." };
    private static readonly Option<bool> s_keysOnly = new("--keys-only") { Description = "Show no values." };
    private static readonly Option<bool> s_noPuts = new("--no-puts") { Description = "Show deletes only." };
    private static readonly Option<bool> s_noDeletes = new("--no-deletes") { Description = "Show puts only." };
    private static readonly Option<bool> s_changedOnly = new("--changed-only") { Description = "Leave out puts of the value that the key had already." };
    private static readonly Option<int?> s_queue = SharedOptions.Number("--queue", "How many events wait for a slow reader before --when-slow decides.", 1, 1_000_000);
    private static readonly Option<TimeSpan?> s_progress = SharedOptions.Duration("--progress", "How often to print how far the watch is, 100ms to 1h.", TimeSpan.FromMilliseconds(100), TimeSpan.FromHours(1));
    private static readonly Option<TimeSpan?> s_staleAfter = SharedOptions.Duration("--stale-after", "After how long without a confirmation that nothing was missed to print that, 100ms to 1h.", TimeSpan.FromMilliseconds(100), TimeSpan.FromHours(1));

    private static readonly Option<SlowPolicy> s_whenSlow = new("--when-slow")
    {
        Description = "What happens when changes come faster than they are read: what waits is read again from history (park), the watch ends (cancel), only the newest change of each key is kept (latest), or the oldest or newest are left out and counted.",
        HelpName = "park|cancel|latest|drop-oldest|drop-newest",
        CustomParser = result =>
        {
            switch (result.Tokens[0].Value)
            {
                case "park":
                    return SlowPolicy.Park;
                case "cancel":
                    return SlowPolicy.Cancel;
                case "latest":
                    return SlowPolicy.Latest;
                case "drop-oldest":
                    return SlowPolicy.DropOldest;
                case "drop-newest":
                    return SlowPolicy.DropNewest;
                default:
                    result.AddError($"--when-slow: '{result.Tokens[0].Value}' is no policy; allowed are park, cancel, latest, drop-oldest and drop-newest.");
                    return SlowPolicy.Park;
            }
        },
    };

    public static Command Create()
    {
        var command = new Command("watch", "Prints every change of what is given, until Ctrl-C. Keys, prefixes, ranges and patterns may be given several times and together.");
        WatchTargets.AddTo(command);
        foreach (var option in new Option[] { s_from, s_snapshot, s_previous, s_keysOnly, s_noPuts, s_noDeletes, s_changedOnly, s_whenSlow, s_queue, s_progress, s_staleAfter })
            command.Add(option);
        command.Validators.Add(result =>
        {
            var from = result.GetResult(s_from) is { Tokens.Count: > 0 } given ? given.Tokens[0].Value : null;
            if (from is not null && Revision(from) is null && !WatchCursor.TryParse(from, out _))
                result.AddError($"--from: '{from}' is neither a revision, a whole number from 1 to {long.MaxValue}, nor a cursor, which begins with w1.");
            if (from is not null && result.GetValue(s_snapshot))
                result.AddError("--from and --snapshot: a watch begins with the one or with the other.");
            if (result.GetValue(s_noPuts) && (result.GetValue(s_noDeletes) || result.GetValue(s_changedOnly)))
                result.AddError("--no-puts leaves nothing for --no-deletes and --changed-only: give one of them.");
            if (result.GetValue(s_keysOnly) && result.GetValue(s_previous))
                result.AddError("--keys-only shows no values, --previous shows one more: give one of them.");
        });
        return command.Does(RunAsync, _ => true);
    }

    private static async Task<int> RunAsync(CommandContext context, CancellationToken cancellationToken)
    {
        var target = WatchTargets.Of(context.Parsed);
        await using var connection = await context.ConnectAsync(cancellationToken);
        await using var stream = await connection.Client.WatchAsync(target, Options(context.Parsed), cancellationToken);
        context.Output.Line(
            json => Cursor(json.Text("type", "registered").Revision(stream.Start), stream),
            () => $"{stream.Start,8}  watching {target} from the next revision on");

        await foreach (var each in stream.WithCancellation(cancellationToken))
        {
            context.Output.Line(json => Line(json, each, stream), () => Words.Event(each));
            if (each.Type != WatchEventType.Canceled)
                continue;
            CommandContext.Complain($"the watch ended ({Words.Of(each.Reason)}) after revision {each.Revision}: {each.Message}");
            return ExitCode.Failed;
        }

        return ExitCode.Ok;
    }

    // Whoever keeps a cursor to go on from needs one now and then, not with every change.
    private static JsonLine Line(JsonLine json, WatchEvent each, IWatchStream stream) =>
        each.Type is WatchEventType.Progress or WatchEventType.Synced or WatchEventType.Canceled ? Cursor(json.Event(each), stream) : json.Event(each);

    private static JsonLine Cursor(JsonLine json, IWatchStream stream)
    {
        try
        {
            return json.Text("cursor", stream.GetCursor().ToString());
        }
        catch (WatchException none) when (none.Code == WatchErrorCode.InvalidCursor)
        {
            // There is none before a snapshot is complete.
            return json;
        }
    }

    private static Revision? Revision(string text) =>
        long.TryParse(text, System.Globalization.NumberStyles.None, null, out var number) && number > 0 ? new Revision(number) : null;

    private static WatchOptions Options(ParseResult parsed)
    {
        var from = parsed.GetValue(s_from);
        var filter = (parsed.GetValue(s_noPuts) ? EventFilter.NoPuts : 0) | (parsed.GetValue(s_noDeletes) ? EventFilter.NoDeletes : 0)
            | (parsed.GetValue(s_keysOnly) ? EventFilter.KeysOnly : 0) | (parsed.GetValue(s_changedOnly) ? EventFilter.OnlyChangedValue : 0);
        return new WatchOptions
        {
            StartAt = from is null ? null : Revision(from),
            From = from is not null && WatchCursor.TryParse(from, out var cursor) ? cursor : null,
            Snapshot = parsed.GetValue(s_snapshot),
            PreviousValues = parsed.GetValue(s_previous),
            Filter = filter,
            WhenSlow = parsed.GetValue(s_whenSlow),
            QueueEventsMax = parsed.GetValue(s_queue),
            ProgressInterval = parsed.GetValue(s_progress),
            StaleAfter = parsed.GetValue(s_staleAfter),
        };
    }
}
