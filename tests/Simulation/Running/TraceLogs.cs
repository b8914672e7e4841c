using Microsoft.Extensions.Logging;
using Watch.Embedded.Simulation;

namespace Watch.Simulation.Tests.Running;

/// <summary>What a silo logs, as lines of its world's trace.</summary>
internal sealed class TraceLogs(SimulatedWorld world, string node) : ILoggerProvider
{
    public ILogger CreateLogger(string categoryName) => new Lines(world, node);

    public void Dispose()
    {
    }

    private sealed class Lines(SimulatedWorld world, string node) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => world.IsTracing && logLevel >= LogLevel.Information;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
                world.Note("log", $"{node}: {formatter(state, exception)}{(exception is null ? "" : $" ({exception.GetType().Name}: {exception.Message})")}");
        }
    }
}
