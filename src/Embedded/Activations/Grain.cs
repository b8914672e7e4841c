// What a grain class derives from, and what it can ask of its activation.
using Microsoft.Extensions.DependencyInjection;
using Orleans.Runtime;
using Watch.Embedded.Activations;
using Watch.Embedded.Runtime;

namespace Orleans
{
    public interface IGrainBase
    {
        IGrainContext GrainContext { get; }

        Task OnActivateAsync(CancellationToken token) => Task.CompletedTask;

        Task OnDeactivateAsync(DeactivationReason reason, CancellationToken token) => Task.CompletedTask;
    }

    public abstract class Grain : IGrainBase, IAddressable
    {
        protected Grain()
            : this((ExecutionScope.Current as Activation
                ?? throw new InvalidOperationException("A grain is made by the runtime only.")).Context)
        {
        }

        protected Grain(IGrainContext grainContext) => GrainContext = grainContext;

        public IGrainContext GrainContext { get; }

        public GrainReference GrainReference => GrainContext.GrainReference;

        public string IdentityString => GrainContext.GrainId.ToString();

        /// <summary>The address of the silo that this activation lives on.</summary>
        public string RuntimeIdentity => ServiceProvider.GetRequiredService<ILocalSiloDetails>().SiloAddress.ToString();

        protected IGrainFactory GrainFactory => ServiceProvider.GetRequiredService<IGrainFactory>();

        protected internal IServiceProvider ServiceProvider => GrainContext.ActivationServices;

        public virtual Task OnActivateAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public virtual Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken) => Task.CompletedTask;

        /// <summary>Ends this activation once the calls under way have ended; later calls make a new one.</summary>
        protected void DeactivateOnIdle() => GrainBaseExtensions.DeactivateOnIdle(this);

        /// <summary>Keeps this activation from being collected as idle for a while.</summary>
        protected void DelayDeactivation(TimeSpan timeSpan) => Activation.Of(GrainContext).DelayCollection(timeSpan);
    }

    public static class GrainBaseExtensions
    {
        public static void DeactivateOnIdle(this IGrainBase grain) => grain.GrainContext.Deactivate(
            new(DeactivationReasonCode.ApplicationRequested, "DeactivateOnIdle was called."));

        public static IGrainTimer RegisterGrainTimer(this IGrainBase grain, Func<CancellationToken, Task> callback, GrainTimerCreationOptions options) =>
            Activation.Of(grain.GrainContext).StartTimer(callback, options);

        public static IGrainTimer RegisterGrainTimer(this IGrainBase grain, Func<Task> callback, GrainTimerCreationOptions options) =>
            grain.RegisterGrainTimer(_ => callback(), options);

        public static IGrainTimer RegisterGrainTimer<TState>(this IGrainBase grain, Func<TState, CancellationToken, Task> callback, TState state, GrainTimerCreationOptions options) =>
            grain.RegisterGrainTimer(token => callback(state, token), options);

        public static IGrainTimer RegisterGrainTimer<TState>(this IGrainBase grain, Func<TState, Task> callback, TState state, GrainTimerCreationOptions options) =>
            grain.RegisterGrainTimer(_ => callback(state), options);

        public static IGrainTimer RegisterGrainTimer(this IGrainBase grain, Func<CancellationToken, Task> callback, TimeSpan dueTime, TimeSpan period) =>
            grain.RegisterGrainTimer(callback, new GrainTimerCreationOptions(dueTime, period));

        public static IGrainTimer RegisterGrainTimer(this IGrainBase grain, Func<Task> callback, TimeSpan dueTime, TimeSpan period) =>
            grain.RegisterGrainTimer(callback, new GrainTimerCreationOptions(dueTime, period));

        public static IGrainTimer RegisterGrainTimer<TState>(this IGrainBase grain, Func<TState, CancellationToken, Task> callback, TState state, TimeSpan dueTime, TimeSpan period) =>
            grain.RegisterGrainTimer(callback, state, new GrainTimerCreationOptions(dueTime, period));

        public static IGrainTimer RegisterGrainTimer<TState>(this IGrainBase grain, Func<TState, Task> callback, TState state, TimeSpan dueTime, TimeSpan period) =>
            grain.RegisterGrainTimer(callback, state, new GrainTimerCreationOptions(dueTime, period));
    }

    public static class GrainExtensions
    {
        /// <summary>A reference to the same grain through another interface.</summary>
        public static TGrainInterface AsReference<TGrainInterface>(this IAddressable grain)
        {
            var reference = ReferenceOf(grain);
            return (TGrainInterface)(object)reference.Caller.CreateReference(
                reference.GrainId, InterfaceCatalog.Shared.Get(typeof(TGrainInterface)));
        }

        public static TGrainInterface Cast<TGrainInterface>(this IAddressable grain) => grain.AsReference<TGrainInterface>();

        public static GrainId GetGrainId(this IAddressable grain) => grain switch
        {
            GrainReference reference => reference.GrainId,
            IGrainBase self => self.GrainContext.GrainId,
            _ => ReferenceOf(grain).GrainId,
        };

        public static string GetPrimaryKeyString(this IAddressable grain) => grain.GetGrainId().Key.ToString();

        private static GrainReference ReferenceOf(IAddressable grain) => grain switch
        {
            GrainReference reference => reference,
            IGrainBase self => self.GrainContext.GrainReference,
            GrainService service => service.GrainReference,
            _ => throw new ArgumentException($"{grain.GetType()} is neither a grain nor a reference to one.", nameof(grain)),
        };
    }
}

namespace Orleans.Runtime
{
    /// <summary>An activation, as its grain sees it.</summary>
    public interface IGrainContext : IEquatable<IGrainContext>
    {
        GrainId GrainId { get; }

        GrainReference GrainReference { get; }

        ActivationId ActivationId { get; }

        object? GrainInstance { get; }

        IServiceProvider ActivationServices { get; }

        /// <summary>Completes when the activation has ended.</summary>
        Task Deactivated { get; }

        void Deactivate(DeactivationReason deactivationReason, CancellationToken cancellationToken = default);
    }
}
