using Orleans.Hosting;
#if ENGINE_ORLEANS
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Orleans.Runtime;
#endif

namespace Watch.Silo.Engine;

/// <summary>
/// How the server ends when Orleans finds that its silo cannot go on; above all when the other silos have declared it dead, which a process
/// learns that was frozen, or cut off, for long enough. Its place in the cluster is others' by then, so it must not serve on. Its node is
/// none the worse for that. So it ends as soon as it has said why, in one line and with the exit code by which services are restarted,
/// where Orleans would leave a crash with a stack and a dump. On Embedded nobody is declared dead.
/// </summary>
internal static partial class DeclaredDead
{
#if ENGINE_ORLEANS
    private const int ExitCode = 1;

    /// <summary>How long the end waits for what was logged to be written: whoever reads it may be slow, or have stopped reading.</summary>
    private static readonly TimeSpan s_tellingMax = TimeSpan.FromSeconds(2);

    public static void Use(ISiloBuilder silo) => silo.Services.AddSingleton<IFatalErrorHandler, End>();

    private sealed partial class End(ILogger<End> logger, IEnumerable<ILoggerProvider> logs) : IFatalErrorHandler
    {
        private int _told;

        public bool IsUnexpected(Exception exception) => true;

        public void OnFatalException(object? sender = null, string? context = null, Exception? exception = null)
        {
            if (Interlocked.Exchange(ref _told, 1) != 0)
                return;
            var telling = new Thread(() => Tell(sender, context, exception)) { IsBackground = true };
            telling.Start();
            telling.Join(s_tellingMax);
            Environment.Exit(ExitCode);
        }

        private void Tell(object? sender, string? context, Exception? exception)
        {
            var line = FatalFailure.Describe(context, exception);
            try
            {
                Console.Error.WriteLine($"watch: {line}");
                if (exception is not null)
                    LogFatal(logger, exception, sender?.GetType().Name, context);
                // The console's lines are written by a thread of its own: disposing of a log is what waits for them.
                foreach (var log in logs)
                    log.Dispose();
            }
            catch (Exception error)
            {
                // It cannot be told in the usual way: a full disk, a log that fails. A crash tells it in another.
                Environment.FailFast(line, error);
            }
        }

        [LoggerMessage(301, LogLevel.Critical, "{Sender} failed in {Context}, and the silo cannot go on.")]
        private static partial void LogFatal(ILogger logger, Exception error, string? sender, string? context);
    }
#else
    public static void Use(ISiloBuilder silo)
    {
    }
#endif
}
