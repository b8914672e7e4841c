using Watch.Embedded.Simulation;

namespace Watch.Simulation.Tests.Faults;

/// <summary>What goes wrong on the way between nodes, and between clients and their gateways.</summary>
internal sealed class NetworkTrouble
{
    private readonly SimulatedWorld _world;
    private readonly FaultCounts _counts;
    private readonly HashSet<(string From, string To)> _cut = [];
    private FaultKind _cutBy;

    public NetworkTrouble(SimulatedWorld world, FaultCounts counts)
    {
        _world = world;
        _counts = counts;
        world.Network.Fate = Decide;
    }

    /// <summary>The share of messages that are lost.</summary>
    public double Lost { get; set; }

    /// <summary>The share of messages that arrive twice.</summary>
    public double Duplicated { get; set; }

    /// <summary>The share of messages that take long, up to <see cref="LongestDelay"/>.</summary>
    public double Delayed { get; set; }

    public TimeSpan LongestDelay { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>Nothing gets from one of the first to one of the second any more.</summary>
    public void Cut(FaultKind by, IEnumerable<string> from, IReadOnlyCollection<string> to, bool bothWays)
    {
        _cutBy = by;
        foreach (var one in from)
        {
            foreach (var other in to.Where(other => other != one))
            {
                _cut.Add((one, other));
                if (bothWays)
                    _cut.Add((other, one));
            }
        }

        _world.Note("cut", string.Join(' ', _cut.Select(pair => $"{pair.From}->{pair.To}")));
    }

    /// <summary>Every way is open again.</summary>
    public void Join()
    {
        _world.Note("join", "");
        _cut.Clear();
    }

    /// <summary>Takes back all that goes wrong.</summary>
    public void Heal()
    {
        Join();
        (Lost, Duplicated, Delayed) = (0, 0, 0);
    }

    private MessageFate Decide(SimulatedMessage message)
    {
        if (_cut.Count > 0 && _cut.Contains((message.From, message.To)))
        {
            _counts.Add(_cutBy);
            return new MessageFate(0, TimeSpan.Zero);
        }

        if (Lost + Duplicated + Delayed == 0)
            return MessageFate.Usual;
        var chance = _world.Random.NextDouble();
        if (chance < Lost)
        {
            _counts.Add(FaultKind.MessageLost);
            return new MessageFate(0, TimeSpan.Zero);
        }

        if (chance < Lost + Duplicated && MayComeTwice(message))
        {
            _counts.Add(FaultKind.MessageDuplicated);
            return new MessageFate(2, TimeSpan.Zero);
        }

        if (chance > 1 - Delayed)
        {
            _counts.Add(FaultKind.MessageDelayed);
            return new MessageFate(1, LongestDelay * _world.Random.NextDouble());
        }

        return MessageFate.Usual;
    }

    /// <summary>
    /// The engine never delivers a call twice (Orleans does not, either), and its own contracts rely on it; so do the grains of a key and of
    /// a bucket. What the nodes say to each other is promised to bear it.
    /// </summary>
    private static bool MayComeTwice(SimulatedMessage message) =>
        message is { IsCall: true, Contract: "watch.IReplicaService" or "watch.IWatchDispatcherService", Method: not "Begin" };
}
