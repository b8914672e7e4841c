using Watch.Core.Consensus;
using Watch.Core.Consensus.Messages;
using Watch.Core.Storage;
using Watch.Core.Tests.Storage;

namespace Watch.Core.Tests.Consensus;

/// <summary>
/// A cluster under one seed: lost, repeated, delayed and overtaking messages, slow and cut links in one direction or both, crashes that
/// lose what was not synced, restarts, clocks that drift apart within the margin, hand-overs, members that come and go; clients that
/// write and read a register meanwhile. Time is virtual.
/// </summary>
internal sealed partial class RandomCluster
{
    private const int DurationMs = 4000;

    private static readonly RaftOptions s_options = new()
    {
        Lease = TimeSpan.FromMilliseconds(100),
        Margin = TimeSpan.FromMilliseconds(10),
        HeartbeatInterval = TimeSpan.FromMilliseconds(30),
        ElectionJitter = TimeSpan.FromMilliseconds(60),
        AppendEntriesMax = 3,
        InFlightEntriesMax = 12,
        PromotionLagEntriesMax = 5,
        UncommittedEntriesMax = 60,
        SnapshotEntries = 100,
        SnapshotTailEntries = 12,
        FollowerTailBytes = 1000,
        RewriteBytesMax = 600,
        LogSegmentsMax = 3,
    };

    private readonly Random _random;
    private readonly PriorityQueue<Action, (long At, long Order)> _events = new();
    private readonly List<Machine> _machines = [];
    private readonly Dictionary<Machine, Running> _running = [];
    private readonly HashSet<(NodeId From, NodeId To)> _cut = [];
    private readonly Dictionary<(NodeId From, NodeId To), long> _slow = [];
    private readonly bool _leaseReads;
    private readonly bool _isStormy;
    private readonly double _loss;
    private long _now;
    private long _order;
    private int _lastValue;
    private bool _calm;

    internal RandomCluster(int seed, SafetyRules rules)
    {
        _random = new Random(seed);
        _leaseReads = rules is not BrokenRules { LeaseReads: false };
        _loss = _random.Next(3) * 0.04;
        _isStormy = seed % 4 == 0;
        var count = _isStormy ? 5 : _random.Next(3, 6);
        var options = _isStormy ? s_options with { AppendEntriesMax = 1, InFlightEntriesMax = 1 } : s_options;
        for (var number = 1; number <= count; number++)
            _machines.Add(new Machine(number, options, _random.NextDouble, rules));
        var voters = _machines.Take(count == 4 ? 3 : count).Select(machine => machine.Id).ToList();
        foreach (var machine in _machines.Where(machine => voters.Contains(machine.Id)))
            machine.Found(voters);
        foreach (var machine in _machines)
            Start(machine);
    }

    internal Checkers Checkers { get; } = new();

    internal int Crashes { get; private set; }

    internal int Installs => _machines.Sum(machine => machine.Installs);

    internal int Snapshots => _machines.Sum(machine => machine.Snapshots);

    internal long Retired => _machines.Sum(machine => machine.Retired);

    internal int Lost { get; private set; }

    internal int Cuts { get; private set; }

    internal int Transfers { get; private set; }

    internal int Changes { get; private set; }

    /// <summary>Runs to the end. Throws where a promise is broken.</summary>
    internal void Run()
    {
        At(20_000, Trouble);
        At(1_000, Clients);
        RunUntil(DurationMs * 1000L);
        Heal();
        RunUntil(_now + 1_500_000);
        WriteOnce();
        RunUntil(_now + 1_000_000);
        Checkers.Match(_machines);
        var leader = _machines.Find(machine => machine.Raft is { LeadsWithOwnTermCommitted: true })
            ?? throw new StuckException($"nobody leads though everything is healed\n{this}");
        var members = leader.Raft!.Members;
        Checkers.End(_machines.Where(machine => members.IsVoter(machine.Id)));
    }

    /// <summary>What every machine makes of its group.</summary>
    public override string ToString() => string.Join('\n', _machines.Select(machine => machine.Raft is { } group
        ? $"{machine.Name} {group.Role} term {group.Term} leader {group.Leader.Value} last {group.Last} durable {group.Durable} committed {group.Committed} members {string.Join(' ', group.Members.Voters.Select(id => id.Value))} + {string.Join(' ', group.Members.Learners.Select(id => id.Value))} {group.Leading}"
        : $"{machine.Name} knows nothing"));

    private void RunUntil(long end)
    {
        while (_events.TryPeek(out _, out var next) && next.At <= end)
        {
            _now = next.At;
            _events.Dequeue()();
        }
        _now = end;
    }

    private void At(long delayUs, Action action) => _events.Enqueue(action, (_now + delayUs, _order++));

    private void Start(Machine machine)
    {
        // Within the margin: (lease + margin) by the fastest clock is no shorter than the lease by the slowest.
        var running = new Running { Rate = 0.96 + _random.NextDouble() * 0.08, Offset = _random.NextInt64(1_000_000_000), Since = _now };
        _running[machine] = running;
        try
        {
            machine.Start(NowOf(machine), entry => Checkers.Applied(machine.Id, entry, machine.Applied.Count));
        }
        catch (StorageException damage)
        {
            throw new PromiseBrokenException($"restart: {machine.Name} does not start any more: {damage.Message}");
        }
        At(_random.Next(20_000), () => StepSnapshot(machine, running));
        Work(machine);
    }

    private Moment NowOf(Machine machine)
    {
        var running = _running[machine];
        var local = running.Offset + (long)((_now - running.Since) * running.Rate);
        return new Moment(TimeSpan.FromMicroseconds(local), _now / 1000);
    }

    /// <summary>What the shell does after every input: send, write, apply, answer, and come back in time.</summary>
    private void Work(Machine machine)
    {
        if (machine.Node is not { } node)
            return;
        var now = NowOf(machine);
        while (node.TryTakeParcel(now, out var parcel))
            Ship(parcel);
        var run = _running[machine];
        if (WithPower(machine, () => machine.WriteBatch()) is not { } wrote)
            return;
        if (wrote)
            At(_random.Next(10) == 0 ? _random.Next(20_000) : _random.Next(100, 2000), () => Synced(machine, run));
        while (node.TryTakeSnapshotWork(out var work))
            run.Work.Enqueue(work);
        if (run.Work.Count > 0 && !run.Works)
        {
            run.Works = true;
            At(_random.Next(100, 3000), () => DoWork(machine, run));
        }
        while (node.TryTakeRoleChange(out var change))
        {
            if (change.Role == Role.Leader && machine.Raft!.Role == Role.Leader)
                Checkers.Leads(machine.Id, machine.Raft);
        }
        machine.Apply(now, entry => Applied(machine, entry));
        while (node.TryTakeReadAnswer(now, out var answer))
            Answered(machine, answer);
        Wake(machine, node);
    }

    private void Wake(Machine machine, Node node)
    {
        var run = _running[machine];
        if (node.NextDeadline is not { } deadline || deadline == run.WakesAt)
            return;
        run.WakesAt = deadline;
        var delay = (long)((deadline - NowOf(machine).Monotonic).TotalMicroseconds / run.Rate) + 2;
        At(Math.Max(delay, 1), () =>
        {
            if (_running[machine] != run || machine.Node is null)
                return;
            run.WakesAt = TimeSpan.MinValue;
            machine.Node.Tick(NowOf(machine));
            Work(machine);
        });
    }

    private void Synced(Machine machine, Running run)
    {
        if (_running[machine] != run || machine.Node is null)
            return;
        var now = NowOf(machine);
        WithPower(machine, () =>
        {
            machine.SyncBatch(now);
            return true;
        });
        Work(machine);
    }

    private void Ship(Parcel parcel)
    {
        var from = parcel.Messages[0].From;
        var bytes = ParcelCodec.Encode(parcel);
        var times = _calm ? 1 : _random.NextDouble() < _loss ? 0 : _random.Next(40) == 0 ? 2 : 1;
        if (_cut.Contains((from, parcel.To)))
            times = 0;
        Lost += times == 0 ? 1 : 0;
        for (; times > 0; times--)
            At(Delay(from, parcel.To), () => Deliver(from, parcel.To, bytes));
    }

    private long Delay(NodeId from, NodeId to)
    {
        var delay = (long)_random.Next(50, 1500);
        if (_calm)
            return delay;
        if (_random.Next(50) == 0)
            delay += _random.Next(50_000);
        return delay + (_slow.TryGetValue((from, to), out var slow) ? _random.NextInt64(slow / 2, slow) : 0);
    }

    private void Deliver(NodeId from, NodeId to, byte[] bytes)
    {
        var machine = _machines[(int)to.Value - 1];
        if (machine.Node is null || _cut.Contains((from, to)))
            return;
        machine.Node.Step(ParcelCodec.Decode(bytes), NowOf(machine));
        Work(machine);
    }

    private void Clients()
    {
        if (_calm)
            return;
        // Most clients go where somebody says that he leads, rightly or not.
        var machine = _machines[_random.Next(_machines.Count)];
        for (var tries = 0; tries < 4 && machine.Raft is not { Role: Role.Leader }; tries++)
            machine = _machines[_random.Next(_machines.Count)];
        if (machine.Node is { } node)
        {
            switch (_random.Next(4))
            {
                case 0 or 1:
                    Write(machine);
                    break;
                case 2 when node.RequestRead(Machine.Group) is { } ticket:
                    _running[machine].Reads.Add((ticket, Checkers.Seen));
                    break;
                case 3 when _leaseReads && node.MayReadByLease(Machine.Group, NowOf(machine)):
                    Checkers.Read(machine.Value, Checkers.Seen, lease: true);
                    break;
            }
            Work(machine);
        }
        At(_random.Next(100, 2500), Clients);
    }

    private void Write(Machine machine)
    {
        var commands = Enumerable.Range(0, _random.Next(1, 4)).Select(_ => ++_lastValue).ToList();
        var outcome = machine.Node!.Propose(Machine.Group, [.. commands.Select(value => (ReadOnlyMemory<byte>)Machine.Command(value))], NowOf(machine));
        for (var i = 0; outcome.Accepted && i < commands.Count; i++)
            _running[machine].Writes.Add((outcome.First + i, outcome.Term), (commands[i], Checkers.Seen));
    }

    /// <summary>With everything healed, somebody leads and takes a write.</summary>
    private void WriteOnce()
    {
        foreach (var machine in _machines.Where(machine => machine.Raft is { Role: Role.Leader }))
        {
            Write(machine);
            Work(machine);
        }
    }

    private void Applied(Machine machine, Entry entry)
    {
        Checkers.Applied(machine.Id, entry, machine.Applied.Count);
        if (_running[machine].Writes.Remove((entry.Index, entry.Term), out var write))
            Checkers.Written(write.Value, write.Seen);
    }

    private void Answered(Machine machine, ReadAnswer answer)
    {
        foreach (var (_, seen) in _running[machine].Reads.Where(read => read.Ticket == answer.Ticket && answer.Confirmed))
            Checkers.Read(machine.Value, seen, lease: false);
        _running[machine].Reads.RemoveAll(read => read.Ticket == answer.Ticket);
    }

    private sealed class Running
    {
        internal double Rate { get; init; }

        internal long Offset { get; init; }

        internal long Since { get; init; }

        internal TimeSpan WakesAt { get; set; } = TimeSpan.MinValue;

        internal Queue<SnapshotWork> Work { get; } = new();

        internal bool Works { get; set; }

        internal Dictionary<(LogIndex, Term), (int Value, long Seen)> Writes { get; } = [];

        internal List<(long Ticket, long Seen)> Reads { get; } = [];
    }
}
