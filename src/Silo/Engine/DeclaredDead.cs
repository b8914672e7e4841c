using Orleans.Hosting;
#if ENGINE_ORLEANS
using Microsoft.Extensions.DependencyInjection;
using Orleans.Runtime;
#endif

namespace Watch.Silo.Engine;

/// <summary>
/// How the server ends when Orleans finds that its silo cannot go on; above all when the other silos have declared it dead, which a process
/// learns that was frozen, or cut off, for long enough. It must not serve a moment longer: its place in the cluster is others' by then. Its
/// node is none the worse for that. So it ends at once, in one line and with the exit code by which services are restarted, where Orleans
/// would leave a crash with a stack and a dump. On Embedded nobody is declared dead.
/// </summary>
internal static class DeclaredDead
{
#if ENGINE_ORLEANS
    private const int ExitCode = 1;

    public static void Use(ISiloBuilder silo) => silo.Services.AddSingleton<IFatalErrorHandler, End>();

    private sealed class End : IFatalErrorHandler
    {
        private int _told;

        public bool IsUnexpected(Exception exception) => true;

        public void OnFatalException(object? sender = null, string? context = null, Exception? exception = null)
        {
            if (Interlocked.Exchange(ref _told, 1) != 0)
                return;
            // What Orleans says of it is text only; which part of it speaks is not public.
            Console.Error.WriteLine(context?.Contains("told I am dead", StringComparison.Ordinal) == true
                ? "watch: The other silos have declared this one dead: it was frozen, overloaded or cut off for too long, and must not go on. What its folder holds is good. Start it again."
                : $"watch: The server failed: {context} {exception?.Message}".ReplaceLineEndings(" "));
            Environment.Exit(ExitCode);
        }
    }
#else
    public static void Use(ISiloBuilder silo)
    {
    }
#endif
}
