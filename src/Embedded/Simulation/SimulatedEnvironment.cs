// The environment of a simulated world's silos: its loop, its clock, and a network whose messages
// take from a tenth of a millisecond to three, so that they overtake each other.
using System.Globalization;
using Watch.Embedded.Runtime;

namespace Watch.Embedded.Simulation;

internal sealed class SimulatedEnvironment(SimulationLoop loop) : IEmbeddedEnvironment
{
    private const int ShortestDelayTicks = 1_000;
    private const int LongestDelayTicks = 30_000;

    public TimeProvider TimeProvider => loop.Time;

    public Random Random => loop.Random;

    public TaskScheduler Scheduler => loop;

    public TaskCreationOptions PromiseOptions => TaskCreationOptions.None;

    // One at a time, so that the seed can put anything between any two.
    public int WorkPerSlice => 1;

    public void Schedule(IThreadPoolWorkItem work, bool local) => loop.Post(work);

    public void Deliver(string from, string to, INodeMessage message)
    {
        if (from == to)
        {
            message.Arrive();
            return;
        }

        var delay = TimeSpan.FromTicks(loop.Random.Next(ShortestDelayTicks, LongestDelayTicks));
        Trace("send", string.Create(CultureInfo.InvariantCulture, $"{from} -> {to}: {message}"));
        loop.Time.CreateTimer(_ =>
        {
            Trace("deliver", $"{from} -> {to}: {message}");
            message.Arrive();
        }, null, delay, Timeout.InfiniteTimeSpan);
    }

    public void Trace(string kind, object subject) => loop.Note(kind, subject);
}
