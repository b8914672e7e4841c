using System.CommandLine;
using System.Text;
using Watch.ClientApp.CommandLine;
using Watch.Core;

namespace Watch.ClientApp.Commands;

/// <summary><c>watch put KEY VALUE</c>: sets a key's value.</summary>
internal static class PutCommand
{
    private static readonly Argument<string> s_key = new("KEY") { Description = "The key." };
    private static readonly Argument<string> s_value = new("VALUE") { Description = "Its new value; - reads it from standard input." };

    public static Command Create()
    {
        var command = new Command("put", "Sets a key's value; done when it is durable.") { s_key, s_value };
        var conditions = Conditions.AddTo(command);
        return command.Does((context, cancellationToken) => RunAsync(context, conditions, cancellationToken));
    }

    private static async Task<int> RunAsync(CommandContext context, Conditions conditions, CancellationToken cancellationToken)
    {
        var key = Key.Of(context.Parsed.GetValue(s_key)!);
        var value = await ReadValueAsync(context.Parsed.GetValue(s_value)!, cancellationToken);
        await using var connection = await context.ConnectAsync(cancellationToken);
        var result = await connection.Client.PutAsync(key, value, conditions.Of(context.Parsed), cancellationToken);
        if (!result.Succeeded)
            return Conditions.Refused(key, result);

        context.Output.Line(json => json.Revision(result.Revision), () => $"revision {result.Revision}");
        return ExitCode.Ok;
    }

    private static async Task<ReadOnlyMemory<byte>> ReadValueAsync(string argument, CancellationToken cancellationToken)
    {
        if (argument != "-")
            return Encoding.UTF8.GetBytes(argument);
        using var bytes = new MemoryStream();
        await using var input = Console.OpenStandardInput();
        await input.CopyToAsync(bytes, cancellationToken);
        return bytes.ToArray();
    }
}
