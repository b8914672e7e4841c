using Watch.Core.Consensus;

namespace Watch.Core.Tests.Consensus;

/// <summary>What goes wrong.</summary>
internal sealed partial class RandomCluster
{
    private void Trouble()
    {
        if (_calm)
            return;
        var machine = _machines[_random.Next(_machines.Count)];
        if (_random.Next(2) == 0)
            machine = _machines.Find(each => each.Raft is { Role: Role.Leader }) ?? machine;
        switch (_isStormy ? 12 : _random.Next(_leaseReads ? 16 : 20))
        {
            case 0 or 1:
                Crash(machine);
                break;
            case 2 or 3:
                Isolate(machine);
                break;
            case 4 or 5:
                CutLink(machine);
                break;
            case 6 or 7:
                var slow = (machine.Id, _machines[_random.Next(_machines.Count)].Id);
                _slow[slow] = _random.Next(150_000);
                At(_random.Next(300_000), () => _slow.Remove(slow));
                break;
            case 12:
                Whisper(machine);
                break;
            case 13:
                AnswersCrawl(machine);
                break;
            case 8:
                _cut.Clear();
                break;
            case 9:
                Transfers += machine.Node?.Transfer(Machine.Group, _machines[_random.Next(_machines.Count)].Id, NowOf(machine)) == true ? 1 : 0;
                Work(machine);
                break;
            case >= 15:
                CutOneThenAll(machine);
                break;
            case 14:
                _cut.Clear();
                Whisper(machine);
                break;
            default:
                Change(machine);
                break;
        }
        Checkers.Match(_machines);
        At(_random.Next(10_000, 120_000), Trouble);
    }

    private void Crash(Machine machine)
    {
        if (machine.Node is null)
            return;
        if (_random.Next(2) == 0)
            machine.Disk.FailSoon(_random.Next(1, 8));                   // in the middle of some work at the disk
        else
            GoDown(machine);
    }

    private void GoDown(Machine machine)
    {
        if (machine.Node is null)
            return;
        Crashes++;
        machine.Crash(_random);
        At(_random.Next(300_000), () =>
        {
            if (machine.Node is null)
                Start(machine);
        });
    }

    private void Isolate(Machine machine)
    {
        Cuts++;
        foreach (var other in _machines)
        {
            _cut.Add((machine.Id, other.Id));
            _cut.Add((other.Id, machine.Id));
        }
        At(_random.Next(400_000), () => _cut.RemoveWhere(link => link.From == machine.Id || link.To == machine.Id));
    }

    private void CutLink(Machine machine)
    {
        Cuts++;
        var other = _machines[_random.Next(_machines.Count)];
        _cut.Add((machine.Id, other.Id));
        if (_random.Next(2) == 0)
            _cut.Add((other.Id, machine.Id));
        At(_random.Next(600_000), () => _cut.RemoveWhere(link => link == (machine.Id, other.Id) || link == (other.Id, machine.Id)));
    }

    /// <summary>A leader reaches one other only, and then goes down.</summary>
    private void Whisper(Machine machine)
    {
        Cuts++;
        var heard = _machines[_random.Next(_machines.Count)];
        foreach (var other in _machines.Where(other => other != heard))
            _cut.Add((machine.Id, other.Id));
        var until = _random.Next(_isStormy ? 15_000 : 100_000);
        At(until, () => GoDown(machine));
        At(until + 1, () => _cut.RemoveWhere(link => link.From == machine.Id));
    }

    /// <summary>One node hears the leader no more; when it is about to stand for election, nobody does.</summary>
    private void CutOneThenAll(Machine machine)
    {
        Cuts++;
        var first = _machines[_random.Next(_machines.Count)];
        _cut.Add((machine.Id, first.Id));
        _cut.Add((first.Id, machine.Id));
        At(_random.Next(100_000, 180_000), () => Isolate(machine));
    }

    /// <summary>What others answered is long on its way, and then nothing reaches them any more.</summary>
    private void AnswersCrawl(Machine machine)
    {
        Cuts++;
        foreach (var other in _machines)
            _slow[(other.Id, machine.Id)] = 160_000;
        At(_random.Next(50_000), () =>
        {
            foreach (var other in _machines)
                _cut.Add((machine.Id, other.Id));
        });
        At(400_000, () =>
        {
            foreach (var other in _machines)
                _slow.Remove((other.Id, machine.Id));
            _cut.RemoveWhere(link => link.From == machine.Id);
        });
    }

    private void Change(Machine machine)
    {
        if (machine.Node is not { } node || machine.Raft is not { Role: Role.Leader } group)
            return;
        var other = _machines[_random.Next(_machines.Count)].Id;
        var kind = group.Members.IsVoter(other) ? MembershipChangeKind.Remove : group.Members.IsLearner(other) ? MembershipChangeKind.Promote : MembershipChangeKind.AddLearner;
        if (kind == MembershipChangeKind.Remove && group.Members.Voters.Length <= 2)
            return;
        Changes += node.Change(Machine.Group, new MembershipChange(kind, other), NowOf(machine)) == MembershipOutcome.Appended ? 1 : 0;
        Work(machine);
    }

    private void Heal()
    {
        _calm = true;
        _cut.Clear();
        _slow.Clear();
        foreach (var machine in _machines)
        {
            machine.Disk.FailSoon(int.MaxValue / 2);
            if (machine.Node is null)
                Start(machine);
        }
    }
}
