using Watch.Simulation.Tests.Workloads;

namespace Watch.Simulation.Tests.Checkers;

/// <summary>
/// Whether the operations on one key can be put in one order that explains every answer, in which each takes effect between its call and
/// its return. The search is Wing and Gong's, with Lowe's memory of what was tried: the set of operations that were put in order and the
/// state they led to. An operation whose effect is unknown may be put anywhere behind its call, or nowhere.
/// </summary>
internal sealed class LinearizabilityChecker
{
    private const int StatesMax = 2_000_000;

    private readonly Operation[] _operations;
    private readonly ulong[] _marks;
    private readonly bool[] _placed;
    private readonly HashSet<(ulong Placed, string? State)> _tried = [];
    private int _first;
    private int _required;
    private int _deepest;
    private Operation? _stuckAt;

    private LinearizabilityChecker(IEnumerable<Operation> operations)
    {
        _operations = [.. operations.Where(IsOfUse).OrderBy(each => each.Invoked)];
        var random = new Random(4711);
        _marks = [.. _operations.Select(_ => (ulong)random.NextInt64() ^ ((ulong)random.NextInt64() << 32))];
        _placed = new bool[_operations.Length];
        _required = _operations.Count(each => each.Returned != long.MaxValue);
        _deepest = _required + 1;
    }

    /// <summary>Judges every key by itself. Null: all can be explained.</summary>
    public static string? Check(IEnumerable<Operation> operations, out bool isUndecided)
    {
        isUndecided = false;
        foreach (var key in operations.GroupBy(each => each.Key))
        {
            var checker = new LinearizabilityChecker(key);
            var explained = checker.Search();
            if (explained is null)
                isUndecided = true;
            else if (explained is false)
                return $"Linearizability of {key.Key}: no order explains what was answered; no further than:{Environment.NewLine}{checker.Stuck()}";
        }

        return null;
    }

    private static bool IsOfUse(Operation operation) => operation.Effect switch
    {
        Effect.NotDone => false,
        Effect.Unknown => operation.IsWrite,
        _ => operation.IsFresh,
    };

    /// <summary>True: there is such an order. Null: the search was given up.</summary>
    private bool? Search()
    {
        var stack = new Stack<Frame>();
        stack.Push(new Frame(-1, null, Candidates(null), 0));
        var placed = 0UL;
        while (stack.TryPop(out var frame))
        {
            if (_required == 0)
                return true;
            if (_tried.Count > StatesMax)
                return null;
            if (frame.Next == frame.Candidates.Count)
            {
                if (frame.Operation >= 0)
                    placed ^= Take(frame.Operation, false);
                continue;
            }

            var candidate = frame.Candidates[frame.Next];
            stack.Push(frame with { Next = frame.Next + 1 });
            if (!TryApply(_operations[candidate], frame.State, out var state) || !_tried.Add((placed ^ _marks[candidate], state)))
                continue;
            placed ^= Take(candidate, true);
            stack.Push(new Frame(candidate, state, Candidates(state), 0));
        }

        return _required == 0;
    }

    private ulong Take(int operation, bool placed)
    {
        _placed[operation] = placed;
        if (_operations[operation].Returned != long.MaxValue)
            _required += placed ? -1 : 1;
        if (_required < _deepest)
            _deepest = _required;
        _first = placed ? _first : Math.Min(_first, operation);
        return _marks[operation];
    }

    /// <summary>What may come next: whatever was called before the first return of what is left. What is known to have happened first comes first.</summary>
    private List<int> Candidates(string? state)
    {
        while (_first < _operations.Length && _placed[_first])
            _first++;
        var until = long.MaxValue;
        var found = new List<int>();
        for (var at = _first; at < _operations.Length && _operations[at].Invoked < until; at++)
        {
            if (_placed[at])
                continue;
            found.Add(at);
            if (_operations[at].Returned >= until)
                continue;
            until = _operations[at].Returned;
            if (_required <= _deepest)
                _stuckAt = _operations[at];
        }

        found.RemoveAll(at => _operations[at].Invoked > until || !TryApply(_operations[at], state, out _));
        found.Sort((one, other) => Order(_operations[one]).CompareTo(Order(_operations[other])));
        return found;
    }

    private static (long, bool) Order(Operation operation) => (operation.Effect == Effect.Unknown ? long.MaxValue : operation.Revision.Value, !operation.IsWrite);

    /// <summary>What an operation does to a key in some state; false where its answer does not fit that state.</summary>
    private static bool TryApply(Operation operation, string? state, out string? next)
    {
        next = operation.Kind is OperationKind.Delete ? null : operation.IsWrite ? operation.Value : state;
        switch (operation.Effect)
        {
            case Effect.Unknown:
                return operation.Kind != OperationKind.Swap || operation.Expected == state;
            case Effect.ConditionFailed:
                next = state;
                return (operation.IsBlind || operation.Seen == state) && operation.Expected != state;
            default:
                return (operation.IsBlind || operation.Seen == state) && (operation.Kind != OperationKind.Swap || operation.Expected == state);
        }
    }

    private string Stuck() => string.Join(Environment.NewLine, _operations.Where(each => _stuckAt is null || (each.Returned > _stuckAt.Invoked - 30 && each.Invoked < _stuckAt.Returned + 5)).Take(40));

    private readonly record struct Frame(int Operation, string? State, List<int> Candidates, int Next);
}
