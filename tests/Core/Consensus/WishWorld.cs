using Watch.Core.Consensus;

namespace Watch.Core.Tests.Consensus;

/// <summary>
/// Four silos, the cluster that three of them were, and people who wish in words (<see cref="NodeWish"/>) while nodes die, come back, and
/// lose their folders. Never so many are lost that a group cannot go on: that has no way back, and needs none.
/// </summary>
internal sealed class WishWorld
{
    private static readonly string[] s_names = ["a", "b", "c", "d"];
    private const int Turns = 60;
    private readonly PlanWorld _world = PlanWorld.OfThree();
    private readonly SortedDictionary<string, SiloSight> _silos = new(StringComparer.Ordinal);
    private readonly HashSet<string> _down = [];
    private readonly Random _random;
    private int _numbers = 100;

    internal WishWorld(Random random)
    {
        _random = random;
        foreach (var name in s_names)
            _silos[name] = new SiloSight(name, name == "d" ? NewNumber() : _world.Catalogue.FindNode(name)!.Id, null);
    }

    /// <summary>The broken variant: whoever leaves holds everybody up, whether it can go or not, and cannot stay.</summary>
    internal bool HeldUpByAnyRemoval { get; init; }

    internal void LiveThrough()
    {
        for (var turn = 0; turn < Turns; turn++)
        {
            var name = s_names[_random.Next(s_names.Length)];
            switch (_random.Next(6))
            {
                case 0:
                    Remove(name);
                    break;
                case 1:
                    Add(name);
                    break;
                case 2:
                    Die(name);
                    break;
                case 3:
                    Return(name);
                    break;
                default:
                    foreach (var step in _world.Ask(MembershipPlan.Next).Steps.Where(_ => _random.Next(3) > 0).ToList())
                        _world.CarryAndCommit(step);
                    break;
            }
        }
    }

    /// <summary>All silos run, and the operator adds every name until nothing more comes of it; what is left to be wished, or null.</summary>
    internal string? AddAll()
    {
        foreach (var name in s_names)
            Return(name);
        for (var attempt = 0; attempt < 2 * s_names.Length; attempt++)
        {
            foreach (var name in s_names)
            {
                // A folder that was removed is emptied, as the refusal says.
                if (_world.Catalogue.Removed.ContainsKey(_silos[name].Node))
                    _silos[name] = new SiloSight(name, NewNumber(), null);
                Add(name);
                _world.Drive(MembershipPlan.Next);
            }
        }
        var plan = _world.Ask(MembershipPlan.Next);
        var wanted = _silos.Values.Select(silo => silo.Node).Order().ToList();
        return plan.IsDone && _world.Groups.Values.All(group => group.Members.Voters.Order().SequenceEqual(wanted))
            ? null
            : $"{string.Join(' ', plan.Waits)} {string.Join(' ', s_names.Select(name => Add(name).Message))}; groups: {string.Join(" | ", _world.Groups.Values.Select(group => group.Members))}; silos: {string.Join(' ', wanted)}";
    }

    private NodeWishAnswer Add(string name)
    {
        var silos = _silos.Values.Where(silo => !_down.Contains(silo.Name)).ToList();
        return Record(NodeWish.Add(_world.Catalogue, [.. _world.Groups.Values], silos, Answers, name), name);
    }

    private void Remove(string name) => Record(NodeWish.Remove(_world.Catalogue, [.. _world.Groups.Values], Answers, name, force: _random.Next(3) == 0), name);

    private NodeWishAnswer Record(NodeWishAnswer answer, string name)
    {
        if (HeldUpByAnyRemoval && (answer.Commands.Any(command => command is CatalogueCommand.NodeStays) || _world.Catalogue.NodeInfos.Any(node => node.IsLeaving && node.Name != name)))
            return NodeWishAnswer.No(NodeRefusal.ChangeUnderWay, "Somebody is just being removed.");
        foreach (var command in answer.Commands)
            _world.Catalogue.Apply(command);
        return answer;
    }

    private bool Answers(NodeId node) => !_world.Dead.Contains(node) && _silos.Values.Any(silo => silo.Node == node && !_down.Contains(silo.Name));

    /// <summary>A silo ends where every group keeps a majority without it; one time in two its folder is lost.</summary>
    private void Die(string name)
    {
        var node = _silos[name].Node;
        if (_down.Contains(name) || !_world.Groups.Values.All(group => group.Members.Voters.Count(each => each != node && Answers(each)) >= Quorum.Of(group.Members.Voters.Length)))
            return;
        _down.Add(name);
        _world.Lose(node);
        if (_random.Next(2) == 0)
            _silos[name] = new SiloSight(name, NewNumber(), null);
    }

    private void Return(string name)
    {
        _down.Remove(name);
        _world.Dead.Remove(_silos[name].Node);
    }

    private NodeId NewNumber() => new((UInt128)(++_numbers));
}
