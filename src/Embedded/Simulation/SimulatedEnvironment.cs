// The environments of a simulated world: one for what belongs to no silo (membership, directory,
// clients), and one per silo, whose work passes through the silo's process and follows its clock.
using Orleans.Runtime;
using Watch.Embedded.Runtime;

namespace Watch.Embedded.Simulation;

internal sealed class SimulatedEnvironment(SimulationLoop loop, SimulatedNetwork network, SimulatedProcess? process = null, SimulatedClock? clock = null, SimulatedStreams? streams = null)
    : IEmbeddedEnvironment
{
    public TimeProvider TimeProvider { get; } = clock ?? (TimeProvider)loop.Time;

    public Random Random => loop.Random;

    public TaskScheduler Scheduler { get; } = process ?? (TaskScheduler)loop;

    public TaskCreationOptions PromiseOptions => TaskCreationOptions.None;

    // One at a time, so that the seed can put anything between any two.
    public int WorkPerSlice => 1;

    public void Schedule(IThreadPoolWorkItem work, bool local)
    {
        if (process is null)
            loop.Post(work);
        else
            process.Post(work);
    }

    public void Deliver(string from, string to, INodeMessage message) => network.Deliver(from, to, message);

    public MessageFate FateOf(string silo, StreamId stream, int events) => streams?.FateOf(silo, stream, events) ?? MessageFate.Usual;

    public void Trace(string kind, object subject)
    {
        if (loop.IsTracing)
            loop.Note(kind, subject);
    }
}
