using System.Collections.Concurrent;
using System.Net;
using Microsoft.Extensions.Logging.Abstractions;
using Orleans;
using Orleans.Concurrency;
using Orleans.Runtime;
using Watch.Embedded.Gateway;
using Watch.Embedded.Runtime;

namespace Watch.EmbeddedWire.Tests.Gateway;

public interface IEcho : IGrainWithStringKey
{
    Task<string> Say(string text, CancellationToken cancellationToken);

    Task<object?> Pass(object? value);

    [OneWay]
    Task Tell(string text);
}

/// <summary>A silo that answers as a test tells it to, behind a real listener on a port of the system's choice.</summary>
internal sealed class FakeSilo : IRemoteCallTarget, IReferenceFactory, IAsyncDisposable
{
    private GatewayListener? _listener;

    public Func<CallHeader, object?[], CancellationToken, ValueTask<object?>> Handler { get; set; } =
        static (header, arguments, _) => new(header.Method == nameof(IEcho.Say) ? $"{header.GrainId}: {arguments[0]}" : arguments[0]);

    public TaskCompletionSource<IClientEndpoint> Connected { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public TaskCompletionSource<string> Lost { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public IReadOnlyDictionary<string, string> Manifest { get; } = new Dictionary<string, string> { ["echo"] = "echograin" };

    public string ClusterId => "cluster";

    public IPEndPoint EndPoint => _listener!.LocalEndPoint;

    public async Task<FakeSilo> StartAsync(int port = 0, GatewayOptions? options = null, TimeProvider? time = null)
    {
        _listener = new(new IPEndPoint(IPAddress.Loopback, port), this, this, NullLoggerFactory.Instance, options, time);
        await _listener.StartAsync(CancellationToken.None);
        return this;
    }

    public ValueTask<object?> InvokeAsync(string clientId, CallHeader header, object?[] arguments, CancellationToken cancellationToken) =>
        Handler(header, arguments, cancellationToken);

    public void ClientConnected(string clientId, IClientEndpoint endpoint) => Connected.TrySetResult(endpoint);

    public void ClientLost(string clientId, IClientEndpoint endpoint) => Lost.TrySetResult(clientId);

    public GrainReference CreateReference(GrainId grainId, InterfaceDescriptor interfaceDescriptor) => new(null!, grainId, interfaceDescriptor);

    public ValueTask DisposeAsync() => _listener!.DisposeAsync();
}

internal sealed class FakeClient : IObserverHost, IReferenceFactory
{
    public string ClientId => "client-1";

    public Func<CallHeader, object?[], CancellationToken, ValueTask<object?>> Handler { get; set; } =
        static (_, arguments, _) => new($"seen {arguments[0]}");

    public Task<ICallTransport> ConnectAsync(IPEndPoint endpoint, string cluster = "cluster", TimeProvider? time = null) =>
        GatewayConnection.ConnectAsync(endpoint, cluster, this, this, NullLoggerFactory.Instance, CancellationToken.None, options: null, time);

    public ValueTask<object?> InvokeObserverAsync(CallHeader header, object?[] arguments, CancellationToken cancellationToken) =>
        Handler(header, arguments, cancellationToken);

    public GrainReference CreateReference(GrainId grainId, InterfaceDescriptor interfaceDescriptor) => new(null!, grainId, interfaceDescriptor);
}

/// <summary>Calls of <see cref="IEcho"/> as the runtime would make them.</summary>
internal static class EchoCalls
{
    private static readonly InterfaceDescriptor s_echo = InterfaceCatalog.Shared.Get(typeof(IEcho));

    public static CallHeader Header(string method, bool oneWay = false) => new()
    {
        GrainId = "echo/a",
        Interface = s_echo.Alias,
        Method = method,
        Timeout = TimeSpan.FromSeconds(30),
        OneWay = oneWay,
        RequestContext = new Dictionary<string, object> { ["trace"] = 5 },
    };

    public static GrainReference Reference(string key) => new(null!, GrainId.Create("echo", key), s_echo);

    public static async Task<string> SayAsync(this ICallTransport transport, string text, CancellationToken cancellationToken = default) =>
        (string)(await transport.SendAsync(Header(nameof(IEcho.Say)), [text, null], cancellationToken))!;

    public static async Task<object?> PassAsync(this ICallTransport transport, object? value) =>
        await transport.SendAsync(Header(nameof(IEcho.Pass)), [value], CancellationToken.None);
}

/// <summary>Time that passes only when a test says so.</summary>
internal sealed class ManualTime : TimeProvider
{
    private readonly ConcurrentQueue<Action> _periodic = new();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new ManualTimer();
        if (period > TimeSpan.Zero)
            _periodic.Enqueue(() => timer.Fire(callback, state));
        return timer;
    }

    /// <summary>Lets one period of every periodic timer pass.</summary>
    public void PassInterval()
    {
        foreach (var fire in _periodic)
            fire();
    }

    private sealed class ManualTimer : ITimer
    {
        private bool _disposed;

        public void Fire(TimerCallback callback, object? state)
        {
            if (!_disposed)
                callback(state);
        }

        public bool Change(TimeSpan dueTime, TimeSpan period) => !_disposed;

        public void Dispose() => _disposed = true;

        public ValueTask DisposeAsync()
        {
            Dispose();
            return default;
        }
    }
}
