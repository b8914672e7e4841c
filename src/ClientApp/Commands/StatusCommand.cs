using System.CommandLine;
using Watch.ClientApp.CommandLine;
using Watch.ClientApp.Output;

namespace Watch.ClientApp.Commands;

/// <summary><c>watch status</c>: how the cluster is.</summary>
internal static class StatusCommand
{
    public static Command Create() => new Command("status", "Tells how the cluster is.").Does(RunAsync);

    private static async Task<int> RunAsync(CommandContext context, CancellationToken cancellationToken)
    {
        await using var connection = await context.ConnectAsync(cancellationToken);
        var status = await connection.Client.StatusAsync(cancellationToken);
        context.Output.Line(json => Fields(json, status), () => Text(status));
        return ExitCode.Ok;
    }

    private static void Fields(JsonLine json, StatusResult status) =>
        json.Text("incarnation", status.Incarnation)
            .Text("engine", status.Engine)
            .Text("leader", status.Leader)
            .Number("term", status.Term)
            .Revision(status.Revision)
            .Number("compacted", status.Compacted.Value)
            .Number("keys", status.Keys)
            .Number("watchers", status.Watchers)
            .Number("logBytes", status.LogBytes)
            .Texts("silos", status.Silos);

    private static string Text(StatusResult status) => string.Join('\n',
        $"incarnation  {status.Incarnation}",
        $"engine       {status.Engine}",
        $"silos        {string.Join(", ", status.Silos)}",
        $"leader       {status.Leader}, term {status.Term}",
        $"revision     {status.Revision}, history from {status.Compacted.Next}",
        $"keys         {status.Keys}",
        $"watchers     {status.Watchers} on the silo that answered",
        $"log          {Words.Bytes(status.LogBytes)}");
}
