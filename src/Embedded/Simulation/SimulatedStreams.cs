// The way of a publishing from its publisher to the stream's queue, on one silo. In the world of the
// product it is lost where a queue is full; here a fault plan may lose, double or delay it, so that
// what comes behind overtakes it.
using System.Globalization;
using Orleans.Runtime;

namespace Watch.Embedded.Simulation;

/// <summary>Events that were published at once.</summary>
/// <param name="Silo">The name of the publishing silo.</param>
/// <param name="Stream">The stream: its namespace, a slash, its key.</param>
/// <param name="Number">How many publishings there have been in the world, this one included.</param>
/// <param name="Events">How many events.</param>
public readonly record struct SimulatedPublishing(string Silo, string Stream, long Number, int Events);

internal sealed class SimulatedStreams(SimulationLoop loop)
{
    public Func<SimulatedPublishing, MessageFate>? Fate { get; set; }

    public long Publishings { get; private set; }

    public MessageFate FateOf(string silo, StreamId stream, int events)
    {
        Publishings++;
        if (Fate is not { } decide)
            return MessageFate.Usual;
        var fate = decide(new SimulatedPublishing(silo, stream.ToString(), Publishings, events));
        if (loop.IsTracing && fate != MessageFate.Usual)
            loop.Note("publish", string.Create(CultureInfo.InvariantCulture, $"{silo}: {events} to {stream}, {fate.Copies} times, {fate.Delay.TotalMilliseconds:F1} ms late"));
        return fate;
    }
}
