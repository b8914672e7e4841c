// A party that makes calls: a silo, or a client. It copies the arguments, keeps the promise, and
// knows the way. Observers live on nodes, too: on the client that made them, or on a silo.
using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Orleans;
using Orleans.Runtime;
using Watch.Embedded.Activations;
using Watch.Embedded.Calls;
using Watch.Embedded.Observers;

namespace Watch.Embedded.Runtime;

internal abstract class Node : IReferenceFactory
{
    private static readonly ConcurrentDictionary<InterfaceDescriptor, Func<Node, GrainId, GrainReference>> Constructors = new();

    protected Node(string name, IEmbeddedEnvironment environment, IMessageCopier copier, TimeSpan responseTimeout, ILogger logger)
    {
        Name = name;
        Environment = environment;
        Copier = copier;
        ResponseTimeout = responseTimeout;
        Logger = logger;
        Pending = new PendingCalls(environment);
        Observers = new ObserverTable(this);
    }

    /// <summary>The silo's name, or the client's id.</summary>
    public string Name { get; }

    /// <summary>The name in the ids of observers that live here; never used again by another node.</summary>
    public virtual string ClientId => Name;

    public IEmbeddedEnvironment Environment { get; }

    public IMessageCopier Copier { get; }

    public TimeSpan ResponseTimeout { get; }

    public ILogger Logger { get; }

    public PendingCalls Pending { get; }

    public ObserverTable Observers { get; }

    /// <summary>Stopped or crashed: it sends nothing any more and nothing reaches it.</summary>
    public bool IsDead { get; protected set; }

    /// <summary>Crashed so that not even its own code goes on (simulation).</summary>
    public bool IsFrozen { get; protected set; }

    public Task<T> Send<T>(GrainReference to, MethodDescriptor method, object?[] arguments)
    {
        Call<T> call;
        try
        {
            if (method.TokenIndex >= 0 && arguments[method.TokenIndex] is CancellationToken { IsCancellationRequested: true } token)
                return Task.FromCanceled<T>(token);
            call = new Call<T>(this, to, method, method.CopyArguments(arguments, Copier))
            {
                Context = RequestContext.Export(),
                Timeout = method.ResponseTimeout ?? ResponseTimeout,
            };
        }
        catch (Exception e)
        {
            return Task.FromException<T>(e);    // arguments that cannot be copied
        }

        return Send(call);
    }

    public Task<T> Send<T>(Call<T> call)
    {
        Environment.Trace("call", call);
        if (!call.Method.OneWay)
        {
            Pending.Add(call);
            call.ObserveCancellation();
        }

        try
        {
            Route(call);
        }
        catch (Exception e)
        {
            call.Complete(null, e);
        }

        if (call.Method.OneWay)
            call.Complete(null, null);
        return call.Task;
    }

    public GrainReference CreateReference(GrainId grainId, InterfaceDescriptor interfaceDescriptor) =>
        Constructors.GetOrAdd(interfaceDescriptor, Compile)(this, grainId);

    public abstract GrainType GrainTypeFor(Type interfaceType);

    public void NoteOneWayFailure(Call call, Exception? exception)
    {
        if (exception is not null)
            Log.OneWayCallFailed(Logger, call, exception);
    }

    /// <summary>Brings the call on its way; throws when it knows none.</summary>
    protected abstract void Route(Call call);

    private static Func<Node, GrainId, GrainReference> Compile(InterfaceDescriptor descriptor)
    {
        var node = System.Linq.Expressions.Expression.Parameter(typeof(Node));
        var id = System.Linq.Expressions.Expression.Parameter(typeof(GrainId));
        var constructor = descriptor.ProxyType.GetConstructors()[0];
        return System.Linq.Expressions.Expression.Lambda<Func<Node, GrainId, GrainReference>>(
            System.Linq.Expressions.Expression.New(constructor, node, id, System.Linq.Expressions.Expression.Constant(descriptor)),
            node, id).Compile();
    }
}
