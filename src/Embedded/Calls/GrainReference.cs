// A reference to a grain, an observer or a grain service: its name, the interface through which it
// is seen, and the node on whose behalf it calls. ProxyBuilder derives a class for every interface;
// its methods do nothing but pack the arguments and come to one of the Invoke methods here.
//
// A reference that is used inside an activation calls on behalf of that activation's silo, wherever
// it was made; elsewhere it calls on behalf of its home. So a reference may travel by being passed on.
using Watch.Embedded.Calls;
using Watch.Embedded.Runtime;

namespace Orleans.Runtime;

[Immutable]
public class GrainReference : IAddressable, IEquatable<GrainReference>
{
    internal GrainReference(Node home, GrainId grainId, InterfaceDescriptor descriptor)
    {
        Home = home;
        GrainId = grainId;
        Descriptor = descriptor;
        Kind = TargetKinds.Of(grainId);
    }

    public GrainId GrainId { get; }

    public virtual string InterfaceName => Descriptor.Type.FullName!;

    internal Node Home { get; }

    internal InterfaceDescriptor Descriptor { get; }

    internal TargetKind Kind { get; }

    public bool Equals(GrainReference? other) => other is not null && GrainId.Equals(other.GrainId);

    public override bool Equals(object? obj) => Equals(obj as GrainReference);

    public override int GetHashCode() => GrainId.GetHashCode();

    public sealed override string ToString() => $"GrainReference:{GrainId}:{InterfaceName}";

    public static bool operator ==(GrainReference? reference1, GrainReference? reference2) =>
        reference1?.Equals(reference2) ?? reference2 is null;

    public static bool operator !=(GrainReference? reference1, GrainReference? reference2) => !(reference1 == reference2);

    // The methods below are called by the emitted proxies, with the index of the method called.

    internal Task InvokeTask(int method, object?[] arguments) => Send<object?>(method, arguments);

    internal Task<T> InvokeTaskOf<T>(int method, object?[] arguments) => Send<T>(method, arguments);

    internal ValueTask InvokeValueTask(int method, object?[] arguments) => new(Send<object?>(method, arguments));

    internal ValueTask<T> InvokeValueTaskOf<T>(int method, object?[] arguments) => new(Send<T>(method, arguments));

    internal void InvokeVoid(int method, object?[] arguments) => Send<object?>(method, arguments);

    internal IAsyncEnumerable<T> InvokeSequence<T>(int method, object?[] arguments) =>
        new RemoteSequence<T>(this, Descriptor.Methods[method], arguments, RemoteSequence<T>.DefaultBatchSize);

    /// <summary>The node on whose behalf a call made now goes out.</summary>
    internal Node Caller => ExecutionScope.Current?.Node ?? Home;

    private Task<T> Send<T>(int method, object?[] arguments) =>
        Caller.Send<T>(this, Descriptor.Methods[method], arguments);
}
