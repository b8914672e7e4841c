// An activation as its grain sees it: its names, its services, its instance.
using Microsoft.Extensions.DependencyInjection;
using Orleans;
using Orleans.Runtime;
using Watch.Embedded.Runtime;

namespace Watch.Embedded.Activations;

internal sealed class GrainContext(Activation activation) : IGrainContext
{
    private readonly TaskCompletionSource _deactivated = new(activation.Node.Environment.PromiseOptions);
    private AsyncServiceScope? _scope;
    private GrainReference? _reference;
    private ActivationId _id;

    public Activation Activation { get; } = activation;

    public GrainId GrainId => Activation.Id;

    public GrainReference GrainReference => _reference ??=
        Activation.Silo.CreateReference(GrainId, InterfaceCatalog.Shared.Get(typeof(IGrain)));

    public ActivationId ActivationId => _id.IsDefault ? _id = NewId() : _id;

    public object? GrainInstance { get; set; }

    public IServiceProvider ActivationServices => _scope?.ServiceProvider ?? Activation.Silo.Services;

    public Task Deactivated => _deactivated.Task;

    public void Deactivate(DeactivationReason deactivationReason, CancellationToken cancellationToken = default) =>
        Activation.Deactivate(deactivationReason);

    public bool Equals(IGrainContext? other) => ReferenceEquals(this, other);

    public override bool Equals(object? obj) => ReferenceEquals(this, obj);

    public override int GetHashCode() => GrainId.GetHashCode();

    public override string ToString() => $"{GrainId}{ActivationId}";

    /// <summary>Makes the instance from the class's constructor and the services of a scope of its own.</summary>
    public void CreateInstance()
    {
        _scope = Activation.Silo.Services.CreateAsyncScope();
        GrainInstance = Activation.Class.Create(ActivationServices);
    }

    public async ValueTask DisposeInstanceAsync()
    {
        if (GrainInstance is IAsyncDisposable asyncDisposable)
            await asyncDisposable.DisposeAsync();
        else if (GrainInstance is IDisposable disposable)
            disposable.Dispose();
        if (_scope is { } scope)
            await scope.DisposeAsync();
    }

    public void NoteDeactivated() => _deactivated.TrySetResult();

    private ActivationId NewId()
    {
        Span<byte> bytes = stackalloc byte[16];
        Activation.Silo.Environment.Random.NextBytes(bytes);
        return new(new Guid(bytes));
    }
}
