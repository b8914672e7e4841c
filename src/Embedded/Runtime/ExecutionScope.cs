// Whose work this thread is running right now, if anybody's.
namespace Watch.Embedded.Runtime;

/// <summary>An activation, a grain service or an observer, as the one in whose name code runs.</summary>
internal abstract class ExecutionScope
{
    [ThreadStatic]
    private static ExecutionScope? _current;

    public static ExecutionScope? Current => _current;

    public abstract Node Node { get; }

    public static ExecutionScope? Exchange(ExecutionScope? scope)
    {
        var previous = _current;
        _current = scope;
        return previous;
    }
}
