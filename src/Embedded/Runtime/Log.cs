// What the host writes to the log, each line under its own number.
using Microsoft.Extensions.Logging;
using Orleans.Runtime;

namespace Watch.Embedded.Runtime;

internal static partial class Log
{
    [LoggerMessage(1, LogLevel.Error, "Activation of {Grain} failed.")]
    public static partial void ActivationFailed(ILogger logger, GrainId grain, Exception exception);

    [LoggerMessage(2, LogLevel.Error, "Deactivation of {Grain} failed.")]
    public static partial void DeactivationFailed(ILogger logger, GrainId grain, Exception exception);

    [LoggerMessage(3, LogLevel.Error, "A timer callback of {Grain} failed.")]
    public static partial void TimerCallbackFailed(ILogger logger, GrainId grain, Exception exception);

    [LoggerMessage(4, LogLevel.Warning, "The one-way call '{Call}' failed.")]
    public static partial void OneWayCallFailed(ILogger logger, object call, Exception exception);

    [LoggerMessage(5, LogLevel.Warning, "A call of an observer that is unknown or collected is not answered: '{Call}'.")]
    public static partial void ObserverUnknown(ILogger logger, object call);

    [LoggerMessage(6, LogLevel.Warning, "Events of stream {Stream} were lost on their way to {Grain}.")]
    public static partial void StreamEventsLost(ILogger logger, object stream, GrainId grain, Exception exception);

    [LoggerMessage(7, LogLevel.Information, "Silo {Name} at {Address} is {Status}.")]
    public static partial void SiloStatusChanged(ILogger logger, string name, SiloAddress address, SiloStatus status);

    [LoggerMessage(8, LogLevel.Error, "Stopping '{Observer}' at stage {Stage} failed.")]
    public static partial void LifecycleStopFailed(ILogger logger, string observer, int stage, Exception exception);

    [LoggerMessage(9, LogLevel.Warning, "Connecting to the cluster failed.")]
    public static partial void ConnectingFailed(ILogger logger, Exception exception);

    [LoggerMessage(10, LogLevel.Warning, "The connection to the silo was lost; connecting again.")]
    public static partial void ConnectionLost(ILogger logger);
}
