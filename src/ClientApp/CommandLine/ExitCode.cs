namespace Watch.ClientApp.CommandLine;

/// <summary>What the process says when it ends.</summary>
internal static class ExitCode
{
    /// <summary>Done.</summary>
    public const int Ok = 0;

    /// <summary>Failed: no server, not found, condition refused, interrupted, ...</summary>
    public const int Failed = 1;

    /// <summary>What was asked for is not allowed, whoever would carry it out.</summary>
    public const int BadUsage = 2;

    /// <summary>The code for a failure that the client library reports.</summary>
    public static int Of(WatchException error) => error.Code switch
    {
        WatchErrorCode.InvalidKey or WatchErrorCode.InvalidPrefix or WatchErrorCode.InvalidTarget or WatchErrorCode.InvalidCursor or WatchErrorCode.InvalidOption or WatchErrorCode.ValueTooLarge => BadUsage,
        _ => Failed,
    };
}

/// <summary>What was asked for is not allowed; the message names the thing and what is.</summary>
internal sealed class UsageException(string message) : Exception(message);

/// <summary>A command cannot go on; the message says why in words for its user.</summary>
internal class CommandFailedException(string message) : Exception(message);
