using System.CommandLine;
using Watch.ClientApp.Output;

namespace Watch.ClientApp.CommandLine;

/// <summary>What a command gets: its parsed options, a way to the server, and where its answers and complaints go.</summary>
internal sealed class CommandContext(ParseResult parsed)
{
    public ParseResult Parsed { get; } = parsed;

    public IOutput Output { get; } = parsed.GetValue(SharedOptions.Output) == OutputFormat.Json
        ? new JsonOutput(Console.OpenStandardOutput())
        : new TextOutput(Console.OpenStandardOutput());

    public bool IsJson => Parsed.GetValue(SharedOptions.Output) == OutputFormat.Json;

    /// <summary>Whether pictures may be drawn: standard output is a terminal and people read it.</summary>
    public bool IsDrawing => !IsJson && !Console.IsOutputRedirected;

    public ServerAddress Server => Parsed.GetValue(SharedOptions.Connect)!;

    /// <param name="cancellationToken">Gives up.</param>
    /// <param name="callTimeout">How long a call may take; null for the library's own default.</param>
    public Task<Connection> ConnectAsync(CancellationToken cancellationToken, TimeSpan? callTimeout = null) => Connection.OpenAsync(Server, cancellationToken, callTimeout);

    /// <summary>Says what is wrong, on standard error.</summary>
    public static void Complain(string message) => Console.Error.WriteLine($"watch: {OneLine(message)}");

    private static string OneLine(string message) => message.ReplaceLineEndings(" ");
}

/// <summary>Turns a command's outcome into an exit code and a message: the one place where a failure meets its user.</summary>
internal static class CommandActions
{
    /// <summary>Gives a command its action.</summary>
    /// <param name="command">The command.</param>
    /// <param name="run">What it does.</param>
    /// <param name="endless">Whether it only ends when the user ends it, so that Ctrl-C is its success.</param>
    public static Command Does(this Command command, Func<CommandContext, CancellationToken, Task<int>> run, Func<ParseResult, bool>? endless = null)
    {
        command.SetAction(async (parsed, cancellationToken) =>
        {
            try
            {
                return await run(new CommandContext(parsed), cancellationToken);
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                if (endless?.Invoke(parsed) == true)
                    return ExitCode.Ok;
                CommandContext.Complain("interrupted");
                return ExitCode.Failed;
            }
            catch (WatchException error)
            {
                CommandContext.Complain(error.Message);
                return ExitCode.Of(error);
            }
            catch (UsageException error)
            {
                CommandContext.Complain(error.Message);
                return ExitCode.BadUsage;
            }
            catch (Exception error) when (error is CommandFailedException or IOException or UnauthorizedAccessException)
            {
                CommandContext.Complain(error.Message);
                return ExitCode.Failed;
            }
        });
        return command;
    }
}
