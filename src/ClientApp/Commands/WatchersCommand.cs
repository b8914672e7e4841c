using System.CommandLine;
using Watch.ClientApp.CommandLine;
using Watch.ClientApp.Output;

namespace Watch.ClientApp.Commands;

/// <summary><c>watch watchers</c>: who watches what, and how far behind they are; and the ending of one.</summary>
internal static class WatchersCommand
{
    private static readonly Option<string?> s_silo = new("--silo") { Description = "Only those of this silo.", HelpName = "NAME" };
    private static readonly Option<string?> s_target = new("--target") { Description = "Only those whose target, as it is printed, contains this.", HelpName = "TEXT" };
    private static readonly Option<bool> s_lagging = new("--lagging") { Description = "Only those that have not taken everything." };
    private static readonly Argument<string> s_watcher = new("SILO/ID") { Description = "The watch, as the list names it." };

    public static Command Create()
    {
        var end = new Command("end", "Ends a watch; its reader is told that an operator did.") { s_watcher };
        end.Validators.Add(result =>
        {
            if (Parse(result.GetValue(s_watcher) ?? "") is null)
                result.AddError($"SILO/ID: '{result.GetValue(s_watcher)}' is not a silo's name, a slash and a number.");
        });
        var list = new Command("watchers", "Lists the watches of all silos.") { s_silo, s_target, s_lagging };
        list.Does(ListAsync);
        list.Add(end.Does(EndAsync));
        return list;
    }

    private static async Task<int> ListAsync(CommandContext context, CancellationToken cancellationToken)
    {
        await using var connection = await context.ConnectAsync(cancellationToken);
        var question = new WatchersQuestion { Silo = context.Parsed.GetValue(s_silo), Target = context.Parsed.GetValue(s_target), Lagging = context.Parsed.GetValue(s_lagging) };
        var answer = await connection.Cluster.ListWatchersAsync(question, cancellationToken);
        foreach (var each in answer.Watchers)
            context.Output.Line(json => Fields(json, each), () => Text(each));
        foreach (var silo in answer.Silent)
            context.Output.Line(json => json.Text("type", "silent").Text("silo", silo), () => $"{silo} did not answer");
        if (answer.More)
            CommandContext.Complain($"some silo has more than {question.Max} watches; only so many of each are listed");
        return ExitCode.Ok;
    }

    private static async Task<int> EndAsync(CommandContext context, CancellationToken cancellationToken)
    {
        var (silo, id) = Parse(context.Parsed.GetValue(s_watcher)!)!.Value;
        await using var connection = await context.ConnectAsync(cancellationToken);
        if (await connection.Cluster.EndWatcherAsync(silo, id, cancellationToken))
        {
            context.Output.Line(json => json.Text("type", "ended").Text("silo", silo).Number("id", id), () => $"ended {silo}/{id}");
            return ExitCode.Ok;
        }

        CommandContext.Complain($"silo {silo} has no watch {id}");
        return ExitCode.Failed;
    }

    private static (string Silo, long Id)? Parse(string text) =>
        text.LastIndexOf('/') is > 0 and var slash && long.TryParse(text.AsSpan(slash + 1), System.Globalization.NumberStyles.None, null, out var id) ? (text[..slash], id) : null;

    private static void Fields(JsonLine json, WatcherInfo each) =>
        Taken(
            json.Text("type", "watcher").Text("silo", each.Silo).Number("id", each.Id).Text("client", each.Client).Text("target", each.Target)
                .Text("state", each.State).Text("why", each.Why).Number("ageMs", each.AgeMs)
                .Number("cursor", each.Cursor.Value).Number("queuedEvents", each.QueuedEvents).Number("queuedBytes", each.QueuedBytes).Text("whenSlow", Words.Of(each.WhenSlow))
                .Number("lagged", each.Lagged).Number("lagRevisions", each.LagRevisions).Number("lagMs", each.LagMs).Number("taken", each.Taken.Value),
            each.TakenAgoMs);

    private static void Taken(JsonLine json, long? agoMs)
    {
        if (agoMs is { } ago)
            json.Number("takenAgoMs", ago);
        else
            json.Null("takenAgoMs");
    }

    private static string Text(WatcherInfo each) =>
        $"{each.Silo}/{each.Id}  {each.Target}  {each.State}: {each.Why}{Environment.NewLine}    at {each.Cursor}, taken up to {each.Taken}, {each.LagRevisions} revisions and {Words.Span(each.LagMs)} behind; "
        + $"{each.QueuedEvents} events ({Words.Bytes(each.QueuedBytes)}) wait, {each.Lagged} left out; when slow: {Words.Of(each.WhenSlow)}; "
        + $"{Words.Span(each.AgeMs)} old, {(each.TakenAgoMs is { } ago ? $"last taken {Words.Span(ago)} ago" : "nothing taken yet")}; {(each.Client.Length > 0 ? each.Client : "a client without a name")}";
}
