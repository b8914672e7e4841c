using System.CommandLine;
using Watch.ClientApp.CommandLine;
using Watch.ClientApp.Output;
using Watch.Core;

namespace Watch.ClientApp.Commands;

/// <summary><c>watch get KEY…</c>: reads keys, all at one revision.</summary>
internal static class GetCommand
{
    private static readonly Argument<string[]> s_keys = new("KEY") { Description = "The keys.", Arity = ArgumentArity.OneOrMore };

    public static Command Create() =>
        new Command("get", "Reads keys, all at one revision. Of one key, text output is its value and nothing else.") { s_keys, Freshness.Option }.Does(RunAsync);

    private static async Task<int> RunAsync(CommandContext context, CancellationToken cancellationToken)
    {
        var keys = context.Parsed.GetValue(s_keys)!.Select(Key.Of).ToList();
        await using var connection = await context.ConnectAsync(cancellationToken);
        var entries = await ReadAsync(connection.Client, keys, context.Parsed.GetValue(Freshness.Option), cancellationToken);

        var exit = ExitCode.Ok;
        foreach (var (key, entry) in keys.Zip(entries))
        {
            if (entry is null)
            {
                CommandContext.Complain($"not found: {key}");
                exit = ExitCode.Failed;
            }
            else if (keys.Count == 1)
            {
                context.Output.Bytes(json => json.KeyValue(entry), entry.Value);
            }
            else
            {
                context.Output.Line(json => json.KeyValue(entry), () => Words.KeyValue(entry));
            }
        }

        return exit;
    }

    private static async Task<IReadOnlyList<KeyValue?>> ReadAsync(IWatchClient client, List<Key> keys, ReadPolicy policy, CancellationToken cancellationToken) =>
        keys is [var only]
            ? [(await client.GetAsync(only, policy, cancellationToken)).Key]
            : (await client.GetManyAsync(keys, policy, cancellationToken)).Keys;
}
