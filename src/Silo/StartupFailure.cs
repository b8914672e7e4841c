using System.Data.Common;
using System.Net.Sockets;
using Microsoft.Extensions.Options;
using Orleans.Runtime;
using Watch.Core.Storage;

namespace Watch.Silo;

/// <summary>Finds, in whatever the framework wrapped it, the one thing that kept the server from running, and says it in one line.</summary>
internal static class StartupFailure
{
    public static string Describe(Exception error)
    {
        var cause = Causes(error).OrderBy(Rank).First();
        var text = cause.Message.ReplaceLineEndings(" ");
        if (cause is DbException)
            return $"The database that the setting {ServerSettings.Section}:AdoNetConnectionString names cannot be used: {text}";
        return IsKnown(cause) ? text : $"The server failed: {cause.GetType().Name}: {text}";
    }

    private static bool IsKnown(Exception cause) => Rank(cause) < Unknown;

    private const int Unknown = 10;

    /// <summary>What says most to an operator comes first; a wrapper says least.</summary>
    private static int Rank(Exception cause) => cause switch
    {
        StorageException or BadSettingException or OrleansConfigurationException or OptionsValidationException => 0,
        WatchException => 1,
        // It says which database; the socket below it only what is wrong.
        DbException => 1,
        SocketException or UnauthorizedAccessException or IOException => 2,
        InvalidOperationException { Source: "Microsoft.Extensions.Configuration.Binder" } => 3,
        AggregateException or OrleansLifecycleCanceledException or OperationCanceledException => Unknown + 1,
        _ => Unknown,
    };

    /// <summary>The exception and everything below it, outermost first.</summary>
    private static IEnumerable<Exception> Causes(Exception error)
    {
        var inner = error is AggregateException several ? several.InnerExceptions : (IEnumerable<Exception>)(error.InnerException is { } one ? [one] : []);
        return inner.SelectMany(Causes).Prepend(error);
    }
}
