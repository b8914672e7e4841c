using System.CommandLine;
using Watch.ClientApp.CommandLine;
using Watch.Core;

namespace Watch.ClientApp.Commands;

/// <summary><c>watch delete KEY</c>: deletes a key.</summary>
internal static class DeleteCommand
{
    private static readonly Argument<string> s_key = new("KEY") { Description = "The key." };

    public static Command Create()
    {
        var command = new Command("delete", "Deletes a key; done when that is durable.") { s_key };
        var conditions = Conditions.AddTo(command);
        return command.Does((context, cancellationToken) => RunAsync(context, conditions, cancellationToken));
    }

    private static async Task<int> RunAsync(CommandContext context, Conditions conditions, CancellationToken cancellationToken)
    {
        var key = Key.Of(context.Parsed.GetValue(s_key)!);
        await using var connection = await context.ConnectAsync(cancellationToken);
        var result = await connection.Client.DeleteAsync(key, conditions.Of(context.Parsed), cancellationToken);
        switch (result.Status)
        {
            case WriteStatus.ConditionFailed:
                return Conditions.Refused(key, result);
            case WriteStatus.Unchanged:
                CommandContext.Complain($"not found: {key}");
                return ExitCode.Failed;
            default:
                context.Output.Line(json => json.Revision(result.Revision), () => $"revision {result.Revision}");
                return ExitCode.Ok;
        }
    }
}
