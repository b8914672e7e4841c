// The network of a simulated world. A message between two nodes takes from a tenth of a millisecond
// to three, so that messages overtake each other; a fault plan may lose it, double it or delay it.
// What arrives at a frozen process waits there; what arrives at one that has ended is lost.
//
// A caller hears nothing of a message that is lost: its call ends by its timeout, or when membership
// declares the silo gone, and not before.
using System.Globalization;
using Watch.Embedded.Calls;
using Watch.Embedded.Runtime;

namespace Watch.Embedded.Simulation;

/// <summary>A message on its way.</summary>
/// <param name="From">The name of the silo or client that sent it.</param>
/// <param name="To">The name of the one that it is for.</param>
/// <param name="Contract">The alias of the interface that is called, or was called, where this is the answer.</param>
/// <param name="Method">The method.</param>
/// <param name="IsCall">A call; otherwise an answer, a refusal or a cancellation.</param>
public readonly record struct SimulatedMessage(string From, string To, string Contract, string Method, bool IsCall);

/// <summary>What the network does with a message.</summary>
/// <param name="Copies">How often it arrives.</param>
/// <param name="Delay">How much longer than usual it takes.</param>
public readonly record struct MessageFate(int Copies, TimeSpan Delay)
{
    /// <summary>It arrives once, soon.</summary>
    public static readonly MessageFate Usual = new(1, TimeSpan.Zero);
}

public sealed class SimulatedNetwork
{
    private const int ShortestDelayTicks = 1_000;
    private const int LongestDelayTicks = 30_000;

    private readonly SimulationLoop _loop;
    private readonly Dictionary<string, SimulatedProcess> _processes = [];
    private readonly Dictionary<(string From, string To), TimeSpan> _latest = [];

    internal SimulatedNetwork(SimulationLoop loop) => _loop = loop;

    /// <summary>Decides about every message between two nodes; null while all goes well.</summary>
    public Func<SimulatedMessage, MessageFate>? Fate { get; set; }

    /// <summary>How many messages were sent between two nodes.</summary>
    public long Messages { get; private set; }

    /// <summary>How many messages arrived, or were to arrive, before one that had been sent earlier on the same way.</summary>
    public long Overtakings { get; private set; }

    internal void Connect(SimulatedProcess process) => _processes[process.Name] = process;

    internal void Deliver(string from, string to, INodeMessage message)
    {
        if (from == to)
        {
            Arrive(to, message);
            return;
        }

        Messages++;
        var delay = TimeSpan.FromTicks(_loop.Random.Next(ShortestDelayTicks, LongestDelayTicks));
        var fate = Fate?.Invoke(Describe(from, to, message)) ?? MessageFate.Usual;
        if (_loop.IsTracing)
            Note(from, to, message, fate);
        for (var copy = 0; copy < fate.Copies; copy++)
        {
            Send(from, to, message, delay + fate.Delay);
            delay = TimeSpan.FromTicks(_loop.Random.Next(ShortestDelayTicks, LongestDelayTicks * 4));
        }
    }

    private void Send(string from, string to, INodeMessage message, TimeSpan delay)
    {
        var arrives = _loop.Time.Elapsed + delay;
        if (_latest.TryGetValue((from, to), out var latest) && arrives < latest)
            Overtakings++;
        else
            _latest[(from, to)] = arrives;
        _loop.Time.CreateTimer(_ =>
        {
            if (_loop.IsTracing)
                _loop.Note("deliver", $"{from} -> {to}: {message}");
            Arrive(to, message);
        }, null, delay, Timeout.InfiniteTimeSpan);
    }

    private void Arrive(string to, INodeMessage message)
    {
        if (_processes.TryGetValue(to, out var process) && (process.IsFrozen || process.HasEnded))
            process.Post(new Arrival(message));
        else
            message.Arrive();
    }

    private void Note(string from, string to, INodeMessage message, MessageFate fate) =>
        _loop.Note("send", string.Create(CultureInfo.InvariantCulture, $"{from} -> {to}: {message}{fate switch
        {
            { Copies: 0 } => " LOST",
            { Copies: > 1 } => $" DUPLICATED x{fate.Copies}",
            { Delay.Ticks: > 0 } => $" DELAYED {fate.Delay.TotalMilliseconds:F1} ms",
            _ => "",
        }}"));

    private static SimulatedMessage Describe(string from, string to, INodeMessage message)
    {
        var method = message.About.Method;
        return new SimulatedMessage(from, to, method.Interface.Alias, method.Id, message is Call);
    }

    private sealed class Arrival(INodeMessage message) : IThreadPoolWorkItem
    {
        public void Execute() => message.Arrive();

        public override string ToString() => message.ToString()!;
    }
}
