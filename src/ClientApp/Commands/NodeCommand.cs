using System.CommandLine;
using Watch.ClientApp.CommandLine;
using Watch.ClientApp.Output;

namespace Watch.ClientApp.Commands;

/// <summary><c>watch node</c>: the nodes of the cluster, to see, to change, to follow.</summary>
internal static class NodeCommand
{
    private static readonly Argument<string> s_name = new("NAME") { Description = "The node's name: the setting NodeName of its silo." };
    private static readonly Option<bool> s_force = new("--force") { Description = "Record the removal although too few other voters answer now; it is carried out when enough of them do." };
    private static readonly Option<bool> s_noWait = new("--no-wait") { Description = "Be done when the wish is recorded; the cluster goes on by itself." };

    public static Command Create() => new("node", "The nodes of the cluster.")
    {
        new Command("list", "Lists the nodes with their parts in every group.").Does(ListAsync),
        new Command("watch", "Prints the nodes, and again whenever membership or a leader has changed, until Ctrl-C.").Does(WatchAsync, _ => true),
        new Command("add", "Adds a silo that runs as a node; done when it votes in every group. An old node of its name is replaced.") { s_name, s_noWait }.Does(AddAsync),
        new Command("remove", "Removes a node; done when it belongs to nothing any more. Its data folder never comes back.") { s_name, s_force, s_noWait }.Does(RemoveAsync),
    };

    private static async Task<int> ListAsync(CommandContext context, CancellationToken cancellationToken)
    {
        await using var connection = await context.ConnectAsync(cancellationToken);
        var nodes = await connection.Cluster.ListNodesAsync(cancellationToken);
        foreach (var node in nodes.Nodes)
            context.Output.Line(json => NodeWords.Fields(json, node), () => NodeWords.Text(node));
        foreach (var silo in nodes.OtherSilos)
            context.Output.Line(json => json.Text("type", "silo").Text("name", silo), () => $"{silo}  a silo that holds no node; 'watch node add {silo}' makes it one");
        foreach (var wait in nodes.Waits)
            context.Output.Line(json => json.Text("type", "waits").Text("message", wait), () => $"waits: {wait}");
        return ExitCode.Ok;
    }

    private static async Task<int> WatchAsync(CommandContext context, CancellationToken cancellationToken)
    {
        await using var connection = await context.ConnectAsync(cancellationToken);
        await foreach (var nodes in connection.Cluster.WatchNodesAsync(cancellationToken))
            context.Output.Line(json => NodeWords.Fields(json, nodes), () => NodeWords.Text(nodes));
        return ExitCode.Ok;
    }

    private static async Task<int> AddAsync(CommandContext context, CancellationToken cancellationToken)
    {
        var name = context.Parsed.GetValue(s_name)!;
        await using var connection = await context.ConnectAsync(cancellationToken);
        return await WishAsync(context, name, ("added", "votes in every group"), (progress, token) => connection.Cluster.AddNodeAsync(name, progress, token), cancellationToken);
    }

    private static async Task<int> RemoveAsync(CommandContext context, CancellationToken cancellationToken)
    {
        var name = context.Parsed.GetValue(s_name)!;
        await using var connection = await context.ConnectAsync(cancellationToken);
        var force = context.Parsed.GetValue(s_force);
        return await WishAsync(context, name, ("removed", "removed"), (progress, token) => connection.Cluster.RemoveNodeAsync(name, force, progress, token), cancellationToken);
    }

    /// <summary>Waits for the end, or, where nobody wants to wait, for the first word of progress: by then the wish is recorded.</summary>
    private static async Task<int> WishAsync(
        CommandContext context, string name, (string Type, string Text) end, Func<IProgress<ClusterNodes>, CancellationToken, Task> run, CancellationToken cancellationToken)
    {
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var progress = new Progress(context, name, context.Parsed.GetValue(s_noWait) ? enough.Cancel : () => { });
        try
        {
            await run(progress, enough.Token);
        }
        catch (OperationCanceledException) when (enough.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            end = ("recorded", "recorded");
        }

        context.Output.Line(json => json.Text("type", end.Type).Text("name", name), () => $"{name}: {end.Text}");
        return ExitCode.Ok;
    }

    /// <summary>Says on the way what changes about the node.</summary>
    private sealed class Progress(CommandContext context, string name, Action recorded) : IProgress<ClusterNodes>
    {
        private string _said = "";

        public void Report(ClusterNodes value)
        {
            recorded();
            foreach (var node in value.Nodes.Where(node => node.Name == name))
            {
                var text = NodeWords.Text(node);
                if (text == _said)
                    continue;
                _said = text;
                context.Output.Line(json => NodeWords.Fields(json, node), () => text);
            }

            foreach (var wait in value.Waits)
                context.Output.Line(json => json.Text("type", "waits").Text("message", wait), () => $"waits: {wait}");
        }
    }
}
