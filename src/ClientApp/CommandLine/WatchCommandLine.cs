using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Parsing;
using Watch.ClientApp.Commands;

namespace Watch.ClientApp.CommandLine;

/// <summary>The command line as a whole: which commands there are, and what bad usage looks like.</summary>
internal static class WatchCommandLine
{
    /// <summary>How long a command has to clean up after Ctrl-C before the process ends anyway.</summary>
    private static readonly TimeSpan s_cleanUp = TimeSpan.FromSeconds(15);

    /// <summary>What the root is called while parsing: 'watch' is the name of a command, too, and names have to be told apart.</summary>
    private const string RootName = "WATCH";

    public static async Task<int> RunAsync(string[] args)
    {
        // A value may begin with '@' or hold anything else that a shell would let through: no response files, no bundling.
        var settings = new ParserConfiguration { ResponseFileTokenReplacer = null, EnablePosixBundling = false };
        var parsed = Root().Parse(args, settings);
        if (parsed.Action is HelpAction)
            return await InvokeAsync(parsed);
        List<string> errors = [.. parsed.Errors.Select(each => each.Message), .. UnknownOptions(parsed), .. Unreadable(parsed)];
        return errors.Count > 0 ? BadUsage(parsed, errors) : await InvokeAsync(parsed);
    }

    private static async Task<int> InvokeAsync(ParseResult parsed)
    {
        // Only the help and the version come through this writer; commands write to standard output themselves.
        var help = new StringWriter();
        var exit = await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = s_cleanUp, Output = help });
        await Console.Out.WriteAsync(help.ToString().Replace(RootName, "watch", StringComparison.Ordinal));
        return exit;
    }

    private static Command Root() => new(RootName, "Keys, values, and the watching of them.")
    {
        new HelpOption { Recursive = true },
        new VersionOption(),
        SharedOptions.Connect,
        SharedOptions.Output,
        PutCommand.Create(),
        GetCommand.Create(),
        DeleteCommand.Create(),
        ScanCommand.Create(),
        ImportCommand.Create(),
        MirrorCommand.Create(),
        BenchCommand.Create(),
        DemoCommand.Create(),
        NodeCommand.Create(),
        LoadCommand.Create(),
        WatchCommand.Create(),
        CompactCommand.Create(),
        WatchersCommand.Create(),
        StatusCommand.Create(),
    };

    /// <summary>
    /// What looks like an option but was taken for a KEY or VALUE, because the parser knows no option of that name. After <c>--</c>
    /// nothing is an option.
    /// </summary>
    private static IEnumerable<string> UnknownOptions(ParseResult parsed)
    {
        var beforeDashes = parsed.Tokens.TakeWhile(each => each.Type != TokenType.DoubleDash).ToHashSet(ReferenceEqualityComparer.Instance);
        return from argument in parsed.CommandResult.Children.OfType<ArgumentResult>()
               from token in argument.Tokens
               where token.Value is ['-', '-', _, ..] or ['-', (>= 'a' and <= 'z') or (>= 'A' and <= 'Z'), ..] && beforeDashes.Contains(token)
               select $"unknown option '{token.Value}'; a KEY or VALUE that begins with - goes behind --";
    }

    /// <summary>
    /// Keys, prefixes and values that hold U+FFFD. The runtime puts it in the place of bytes that are not UTF-8, so that what is meant
    /// cannot be known, and several keys would become one. Paths are not concerned: a wrong one names nothing.
    /// </summary>
    private static IEnumerable<string> Unreadable(ParseResult parsed)
    {
        var arguments = from argument in parsed.CommandResult.Children.OfType<ArgumentResult>()
                        where argument.Argument.Name is "KEY" or "PREFIX" or "VALUE"
                        from token in argument.Tokens
                        select (argument.Argument.Name, token.Value);
        var options = from option in parsed.CommandResult.Children.OfType<OptionResult>()
                      from token in option.Tokens
                      select (option.Option.Name, token.Value);
        return from each in arguments.Concat(options)
               where each.Value.Contains('\uFFFD', StringComparison.Ordinal)
               select $"{each.Name}: '{each.Value}' is not UTF-8, or holds U+FFFD, which is not told apart from it; 'watch put KEY -' reads a VALUE of any bytes from standard input.";
    }

    private static int BadUsage(ParseResult parsed, List<string> errors)
    {
        foreach (var error in errors)
            CommandContext.Complain(error);
        var command = parsed.CommandResult.Command.Name == RootName ? "watch" : $"watch {parsed.CommandResult.Command.Name}";
        Console.Error.WriteLine($"'{command} --help' tells what is allowed.");
        return ExitCode.BadUsage;
    }
}
