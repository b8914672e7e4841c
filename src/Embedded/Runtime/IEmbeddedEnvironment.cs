// What the runtime takes from outside: time, chance, threads, and the way between two nodes. There
// are two implementations: real time on the thread pool, and Simulation/SimulatedWorld. Nothing else
// in this project may ask a clock, draw a number or start work by other means.
using Orleans.Runtime;
using Watch.Embedded.Simulation;

namespace Watch.Embedded.Runtime;

internal interface IEmbeddedEnvironment
{
    TimeProvider TimeProvider { get; }

    Random Random { get; }

    /// <summary>Where the runtime's own asynchronous work runs.</summary>
    TaskScheduler Scheduler { get; }

    /// <summary>
    /// How the runtime's promises run what waits for them. In real time never on the thread that keeps
    /// the promise; in a simulation there, since the alternative of the library is the thread pool.
    /// </summary>
    TaskCreationOptions PromiseOptions { get; }

    /// <summary>How many pieces of work one group runs before others get their chance.</summary>
    int WorkPerSlice { get; }

    /// <summary>Runs the work soon. <paramref name="local"/>: preferably on this thread, when it is free.</summary>
    void Schedule(IThreadPoolWorkItem work, bool local);

    /// <summary>Takes a message from one node to another: it arrives by running <paramref name="message"/>.</summary>
    void Deliver(string from, string to, INodeMessage message);

    /// <summary>What becomes of a publishing to a stream: as usual it arrives once and at once.</summary>
    MessageFate FateOf(string silo, StreamId stream, int events);

    /// <summary>Notes what happened, where somebody reads it.</summary>
    void Trace(string kind, object subject);
}

/// <summary>Something on its way between two nodes.</summary>
internal interface INodeMessage
{
    /// <summary>The call that it is, or answers.</summary>
    Calls.Call About { get; }

    void Arrive();
}

/// <summary>Real time, real threads, messages that arrive at once.</summary>
internal sealed class RealEnvironment(TimeProvider timeProvider) : IEmbeddedEnvironment
{
    public TimeProvider TimeProvider { get; } = timeProvider;

    public Random Random => Random.Shared;

    public TaskScheduler Scheduler => TaskScheduler.Default;

    public TaskCreationOptions PromiseOptions => TaskCreationOptions.RunContinuationsAsynchronously;

    public int WorkPerSlice => 64;

    public void Schedule(IThreadPoolWorkItem work, bool local) => ThreadPool.UnsafeQueueUserWorkItem(work, local);

    public void Deliver(string from, string to, INodeMessage message) => message.Arrive();

    public MessageFate FateOf(string silo, StreamId stream, int events) => MessageFate.Usual;

    public void Trace(string kind, object subject) { }
}
