using System.Globalization;
using Watch.Core.Consensus;
using Watch.Core.Consensus.Messages;
using Watch.Core.Storage;

namespace Watch.Core.Tests.Consensus;

/// <summary>
/// Plays a cluster's story: each line is a command, then <c>-></c> and what came of it. Messages arrive at once and disks are quick unless
/// the story says otherwise; time stands still unless it passes. Lease 100 ms, margin 10 ms, heartbeats every 30 ms; n1 waits no longer than
/// it must before it stands for election, n2 6 ms more, n3 12 ms more, and so on.
/// </summary>
/// <remarks>
/// <code>
/// nodes N [of M]             the first N of M nodes found the group            state             what every node makes of it
/// campaign n1                pass MS         partition n1 n2 | n3              heal              crash n1          restart n1
/// propose n1 VALUE           read n1         reads (those that waited)         lease n1
/// learner n1 n4              promote n1 n4   remove n1 n2                      transfer n1 n2
/// lose n1 n2 COUNT           the next so many parcels from n1 to n2            limit n1 n2 COUNT   all but the next so many
/// lose n1 n2 parts           until healed, parts of snapshots from n1 to n2
/// disk n1 stuck|quick                 entries n1
/// snapshot n1                one is taken of its state                         log n1            which entries it still has, and of which snapshot
/// </code>
/// </remarks>
internal sealed class RaftTranscript(SafetyRules? rules = null)
{
    private static readonly RaftOptions s_options = new()
    {
        Lease = TimeSpan.FromMilliseconds(100), Margin = TimeSpan.FromMilliseconds(10), HeartbeatInterval = TimeSpan.FromMilliseconds(30),
        ElectionJitter = TimeSpan.FromMilliseconds(60), AppendEntriesMax = 2, InFlightEntriesMax = 6, SnapshotTailEntries = 1, FollowerTailBytes = 0,
    };

    private readonly List<Machine> _machines = [];
    private readonly HashSet<Machine> _stuck = [];
    private readonly Dictionary<NodeId, int> _sides = [];
    private readonly Dictionary<(NodeId, NodeId), int> _lose = [];
    private readonly Dictionary<(NodeId, NodeId), int> _pass = [];
    private readonly HashSet<(NodeId, NodeId)> _loseParts = [];
    private readonly List<string> _read = [];
    private int _parcels;
    private int _nowMs;

    private Moment Now => new(TimeSpan.FromMilliseconds(_nowMs), _nowMs);

    internal string Run(string line)
    {
        var words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        switch (words[0])
        {
            case "nodes":
                return Found(Number(words[1]), Number(words[^1]));
            case "campaign":
                Of(words[1]).Raft!.Campaign(Now);
                Of(words[1]).Node!.Tick(Now);
                break;
            case "pass":
                return Pass(Number(words[1]));
            case "partition":
                Partition(string.Join(' ', words[1..]));
                return "ok";
            case "heal":
                _loseParts.Clear();
                _sides.Clear();
                _pass.Clear();
                return "ok";
            case "crash":
                Of(words[1]).Crash(new NothingSurvives());
                return "ok";
            case "restart":
                Of(words[1]).Start(Now);
                break;
            case "disk":
                _ = words[2] == "stuck" ? _stuck.Add(Of(words[1])) : _stuck.Remove(Of(words[1]));
                break;
            case "limit":
                _pass[(Of(words[1]).Id, Of(words[2]).Id)] = Number(words[3]);
                return "ok";
            case "lose":
                return Lose((Of(words[1]).Id, Of(words[2]).Id), words[3]);
            case "state":
                break;
            case "snapshot":
                return Snapshot(Of(words[1]));
            case "log":
                return Log(Of(words[1]));
            default:
                return Ask(words, Of(words[^1].StartsWith('n') && words.Length == 2 || words.Length > 2 ? words[1] : "n1"));
        }
        Settle();
        return State();
    }

    private string Lose((NodeId, NodeId) link, string what)
    {
        if (what == "parts")
            _loseParts.Add(link);
        else
            _lose[link] = Number(what);
        return "ok";
    }

    private string Snapshot(Machine machine)
    {
        var before = machine.Snapshots;
        var began = machine.StepSnapshot(takeOne: true);
        while (began && machine.Snapshots == before)
            machine.StepSnapshot(takeOne: false);
        Settle();
        return began ? Log(machine) : "nothing new";
    }

    private static string Log(Machine machine) =>
        $"{machine.Raft!.Log.First} to {machine.Raft.Last} behind {(machine.Raft.Snapshot is { } snapshot ? $"a snapshot at {snapshot.Index} of term {snapshot.Term}" : "no snapshot")}";

    private string Ask(string[] words, Machine machine)
    {
        switch (words[0])
        {
            case "propose":
                return Propose(machine, Number(words[2]));
            case "read":
                if (machine.Node!.RequestRead(Machine.Group) is null)
                    return "does not lead";
                Settle();
                return Reads();
            case "reads":
                return Reads();
            case "lease":
                return machine.Node!.MayReadByLease(Machine.Group, Now) ? machine.Value.ToString(CultureInfo.InvariantCulture) : "no lease";
            case "entries":
                return string.Join(' ', machine.Applied.Where(entry => entry.Kind == EntryKind.Command).Select(Machine.ValueOf));
            case "transfer":
                var began = machine.Node!.Transfer(Machine.Group, Of(words[2]).Id, Now);
                Settle();
                return began ? State() : "refused";
            default:
                var kind = words[0] switch { "learner" => MembershipChangeKind.AddLearner, "promote" => MembershipChangeKind.Promote, "remove" => MembershipChangeKind.Remove, _ => throw new ArgumentException($"no command '{words[0]}'") };
                var outcome = machine.Node!.Change(Machine.Group, new MembershipChange(kind, Of(words[2]).Id), Now);
                Settle();
                return outcome == MembershipOutcome.Appended ? State() : outcome.ToString();
        }
    }

    private string Found(int voters, int count)
    {
        for (var number = 1; number <= count; number++)
        {
            var jitter = (number - 1) * 0.1;
            _machines.Add(new Machine(number, s_options, () => jitter, rules ?? SafetyRules.Raft));
        }
        foreach (var machine in _machines.Take(voters))
            machine.Found([.. _machines.Take(voters).Select(each => each.Id)]);
        foreach (var machine in _machines)
            machine.Start(Now);
        Settle();
        return State();
    }

    private string Propose(Machine machine, int value)
    {
        var outcome = machine.Node!.Propose(Machine.Group, [Machine.Command(value)], Now);
        if (!outcome.Accepted)
            return outcome.Refusal.ToString();
        Settle();
        var by = _machines.Where(each => each.Raft is { } group && group.Log.TermAt(outcome.First) == outcome.Term && group.Committed >= outcome.First).Select(each => each.Name);
        return machine.Raft!.Committed >= outcome.First ? $"{outcome.First} committed, known to {string.Join(' ', by)}" : $"{outcome.First} pending";
    }

    private string Pass(int ms)
    {
        var before = _parcels;
        for (; ms > 0; ms--)
        {
            _nowMs++;
            foreach (var machine in _machines)
                machine.Node?.Tick(Now);
            Settle();
        }
        return $"{State()}; {_parcels - before} parcels";
    }

    private void Partition(string sides)
    {
        var side = 0;
        foreach (var names in sides.Split('|'))
        {
            side++;
            foreach (var name in names.Split(' ', StringSplitOptions.RemoveEmptyEntries))
                _sides[Of(name).Id] = side;
        }
    }

    private void Settle()
    {
        while (_machines.Where(machine => machine.Node is not null).Count(Work) > 0)
        {
        }
    }

    private bool Work(Machine machine)
    {
        var worked = false;
        while (machine.Node!.TryTakeParcel(Now, out var parcel))
        {
            worked = true;
            Ship(parcel);
        }
        machine.WriteBatch();
        if (machine.Disk.IsBusy && !_stuck.Contains(machine))
        {
            worked = true;
            machine.SyncBatch(Now);
        }
        while (!_stuck.Contains(machine) && machine.Node.TryTakeSnapshotWork(out var work))
        {
            worked = true;
            machine.Do(work, Now);
        }
        machine.Apply(Now, _ => worked = true);
        while (machine.Node.TryTakeReadAnswer(Now, out var answer))
            _read.Add(answer.Confirmed ? machine.Value.ToString(CultureInfo.InvariantCulture) : "does not lead any more");
        return worked;
    }

    private void Ship(Parcel parcel)
    {
        var from = parcel.Messages[0].From;
        _parcels++;
        if (_sides.GetValueOrDefault(from) != _sides.GetValueOrDefault(parcel.To))
            return;
        if (_loseParts.Contains((from, parcel.To)))
            parcel = parcel with { Messages = parcel.Messages.RemoveAll(message => message is InstallSnapshot) };
        if (parcel.Messages.IsEmpty)
            return;
        if (_lose.TryGetValue((from, parcel.To), out var left) && left > 0)
        {
            _lose[(from, parcel.To)] = left - 1;
            return;
        }
        if (_pass.TryGetValue((from, parcel.To), out var passes))
        {
            if (passes == 0)
                return;
            _pass[(from, parcel.To)] = passes - 1;
        }
        _machines[(int)parcel.To.Value - 1].Node?.Step(ParcelCodec.Decode(ParcelCodec.Encode(parcel)), Now);
    }

    private string Reads()
    {
        var text = _read.Count == 0 ? "pending" : string.Join(' ', _read);
        _read.Clear();
        return text;
    }

    private string State() => string.Join("; ", _machines.Select(machine => machine.Raft is not { } group
        ? $"{machine.Name} {(machine.Node is null ? "down" : "empty")}"
        : $"{machine.Name} {group.Role} {group.Term} {group.Committed}/{group.Last}"));

    private Machine Of(string name) => _machines[Number(name[1..]) - 1];

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
}
