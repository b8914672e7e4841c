using System.CommandLine;
using Watch.ClientApp.Commands;

namespace Watch.ClientApp.CommandLine;

/// <summary>The command line as a whole: which commands there are, and what bad usage looks like.</summary>
internal static class WatchCommandLine
{
    /// <summary>How long a command has to clean up after Ctrl-C before the process ends anyway.</summary>
    private static readonly TimeSpan s_cleanUp = TimeSpan.FromSeconds(15);

    public static async Task<int> RunAsync(string[] args)
    {
        // A value may begin with '@' or hold anything else that a shell would let through: no response files, no bundling.
        var settings = new ParserConfiguration { ResponseFileTokenReplacer = null, EnablePosixBundling = false };
        var parsed = Root().Parse(args, settings);
        if (parsed.Errors.Count > 0 && parsed.Action is not System.CommandLine.Help.HelpAction)
            return BadUsage(parsed);

        return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = s_cleanUp });
    }

    private static RootCommand Root() => new("Keys, values, and the watching of them.")
    {
        SharedOptions.Connect,
        SharedOptions.Output,
        PutCommand.Create(),
        GetCommand.Create(),
        DeleteCommand.Create(),
        ScanCommand.Create(),
        WatchCommand.Create(),
        StatusCommand.Create(),
    };

    private static int BadUsage(ParseResult parsed)
    {
        foreach (var error in parsed.Errors)
            Console.Error.WriteLine($"watch: {error.Message}");
        var command = parsed.CommandResult.Command is RootCommand ? "watch" : $"watch {parsed.CommandResult.Command.Name}";
        Console.Error.WriteLine($"'{command} --help' tells what is allowed.");
        return ExitCode.BadUsage;
    }
}
