namespace Watch.Grains;

/// <summary>Whether this silo's node still works; in the silo's services.</summary>
public sealed class NodeHealth
{
    private Exception? _failure;

    /// <summary>What stopped the node: an error of its disk, or a rule that must always hold and did not. Null while it works.</summary>
    public Exception? Failure => Volatile.Read(ref _failure);

    internal void Fail(Exception failure) => Interlocked.CompareExchange(ref _failure, failure, null);
}
