// The seam between the runtime and the two ends of the loopback gateway.
//
//   silo process                                             client process
//   GatewayListener(IRemoteCallTarget target, …)   <── TCP ── GatewayConnection : ICallTransport
//
// A call travels as (header, arguments). Both sides look the method up in InterfaceCatalog by
// (header.Interface, header.Method) and so know the types of arguments and result: arguments are
// MethodDescriptor.ParameterTypes, with null in the place of a CancellationToken; the result is
// MethodDescriptor.ResultType (void: nothing). Cancellation is a message of its own: the listener
// cancels the token that it gave to InvokeAsync. IAsyncEnumerable methods travel as ordinary calls of
// IAsyncEnumerableExtension, whose values are typed as object: they need the type's name beside them.
//
// References to grains and observers (GrainReference) travel as (GrainId, InterfaceAlias) and are
// made again on arrival by IReferenceFactory. A copy within the process keeps the reference as it is.
using Orleans.Runtime;

namespace Watch.Embedded.Runtime;

/// <summary>Deep-copies what goes from caller to callee and back, as if it had been serialized.</summary>
internal interface IMessageCopier
{
    /// <summary>A copy that shares nothing mutable with <paramref name="value"/>; immutable values come back as they are.</summary>
    object? Copy(object? value);
}

/// <summary>What travels in front of the arguments of a call.</summary>
internal sealed record CallHeader
{
    /// <summary>The grain or observer called: "type/key".</summary>
    public required string GrainId { get; init; }

    /// <summary><see cref="InterfaceDescriptor.Alias"/>.</summary>
    public required string Interface { get; init; }

    /// <summary><see cref="MethodDescriptor.Id"/>.</summary>
    public required string Method { get; init; }

    /// <summary>How long the caller waits; the caller's side measures it.</summary>
    public required TimeSpan Timeout { get; init; }

    /// <summary>No answer is wanted.</summary>
    public bool OneWay { get; init; }

    /// <summary>The caller's RequestContext, or null when it is empty.</summary>
    public IReadOnlyDictionary<string, object>? RequestContext { get; init; }
}

/// <summary>A silo, as its gateway sees it.</summary>
internal interface IRemoteCallTarget
{
    /// <summary>Interface alias -> grain type of the class behind it; sent to the client in the handshake.</summary>
    IReadOnlyDictionary<string, string> Manifest { get; }

    /// <summary>Sent to the client in the handshake; a client of another cluster is refused.</summary>
    string ClusterId { get; }

    /// <summary>Runs a call of a client. Throws what the grain threw, or TimeoutException, or an OrleansException.</summary>
    ValueTask<object?> InvokeAsync(string clientId, CallHeader header, object?[] arguments, CancellationToken cancellationToken);

    /// <summary>From now on calls of this client's observers go to <paramref name="endpoint"/>.</summary>
    void ClientConnected(string clientId, IClientEndpoint endpoint);

    /// <summary>The connection is gone: calls of its observers fail with ClientNotAvailableException.</summary>
    void ClientLost(string clientId, IClientEndpoint endpoint);
}

/// <summary>A connected client, as the silo sees it: where calls of its observers go.</summary>
internal interface IClientEndpoint
{
    /// <summary>
    /// Calls an observer (header.GrainId) at the client. When the client does not know the observer it
    /// does not answer, and the caller's timeout ends the call. A broken connection is ClientNotAvailableException.
    /// </summary>
    ValueTask<object?> InvokeObserverAsync(CallHeader header, object?[] arguments, CancellationToken cancellationToken);
}

/// <summary>A client's connection to a silo.</summary>
internal interface ICallTransport : IAsyncDisposable
{
    /// <summary>What the silo sent in the handshake.</summary>
    IReadOnlyDictionary<string, string> Manifest { get; }

    /// <summary>Completes when the connection is gone.</summary>
    Task Closed { get; }

    /// <summary>Sends a call. Throws what the grain threw, or SiloUnavailableException when the connection breaks.</summary>
    ValueTask<object?> SendAsync(CallHeader header, object?[] arguments, CancellationToken cancellationToken);
}

/// <summary>
/// A client process, as its connection sees it: where calls that arrive for its observers go. The
/// returned task never completes when the observer is unknown or collected (no answer is sent then).
/// </summary>
internal interface IObserverHost
{
    string ClientId { get; }

    ValueTask<object?> InvokeObserverAsync(CallHeader header, object?[] arguments, CancellationToken cancellationToken);
}

/// <summary>Makes references from what travelled.</summary>
internal interface IReferenceFactory
{
    GrainReference CreateReference(GrainId grainId, InterfaceDescriptor interfaceDescriptor);
}
