using Microsoft.Extensions.Logging;

namespace Watch.Simulation.Tests.Running;

/// <summary>Listens for critical lines of a silo's log only.</summary>
internal sealed class LastWords(Action<string> hear) : ILoggerProvider, ILogger
{
    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel == LogLevel.Critical;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (IsEnabled(logLevel))
            hear($"{formatter(state, exception)} {exception}");
    }

    public void Dispose()
    {
    }
}
