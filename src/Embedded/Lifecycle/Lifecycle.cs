// The stages of a silo's life. Participants subscribe to stages; starting goes through the stages in
// ascending order, stopping in descending order from the highest that was reached. Those of one
// stage run side by side. A failure to start stops what had been started; a failure to stop does not
// keep the rest from stopping.
using Orleans;
using Orleans.Runtime;
using Watch.Embedded.Runtime;

namespace Orleans
{
    public static class ServiceLifecycleStage
    {
        public const int First = int.MinValue;
        public const int RuntimeInitialize = 2000;
        public const int RuntimeServices = 4000;
        public const int RuntimeStorageServices = 6000;
        public const int RuntimeGrainServices = 8000;
        public const int AfterRuntimeGrainServices = 8100;
        public const int ApplicationServices = 10000;
        public const int ValidateInitialConnectivity = 19900;
        public const int GrainDirectoryShutdown = 19997;
        public const int GrainDeactivation = 19998;
        public const int BecomeActive = 19999;
        public const int Active = 20000;
        public const int Last = int.MaxValue;
    }

    public interface ILifecycleObserver
    {
        Task OnStart(CancellationToken cancellationToken = default);

        Task OnStop(CancellationToken cancellationToken = default);
    }

    public interface ILifecycleObservable
    {
        IDisposable Subscribe(string observerName, int stage, ILifecycleObserver observer);
    }

    public interface ILifecycleParticipant<TLifecycleObservable>
        where TLifecycleObservable : ILifecycleObservable
    {
        void Participate(TLifecycleObservable lifecycle);
    }

    public static class LifecycleExtensions
    {
        public static IDisposable Subscribe(this ILifecycleObservable observable, string observerName, int stage,
            Func<CancellationToken, Task> onStart, Func<CancellationToken, Task>? onStop) =>
            observable.Subscribe(observerName, stage, new DelegateObserver(onStart, onStop));

        public static IDisposable Subscribe(this ILifecycleObservable observable, string observerName, int stage,
            Func<CancellationToken, Task> onStart) => observable.Subscribe(observerName, stage, onStart, null);

        public static IDisposable Subscribe<TObserver>(this ILifecycleObservable observable, int stage,
            Func<CancellationToken, Task> onStart, Func<CancellationToken, Task> onStop) =>
            observable.Subscribe(typeof(TObserver).FullName!, stage, onStart, onStop);

        public static IDisposable Subscribe<TObserver>(this ILifecycleObservable observable, int stage,
            Func<CancellationToken, Task> onStart) => observable.Subscribe(typeof(TObserver).FullName!, stage, onStart, null);

        public static IDisposable Subscribe<TObserver>(this ILifecycleObservable observable, int stage, ILifecycleObserver observer) =>
            observable.Subscribe(typeof(TObserver).FullName!, stage, observer);

        public static IDisposable Subscribe(this ILifecycleObservable observable, int stage, ILifecycleObserver observer) =>
            observable.Subscribe(observer.GetType().FullName!, stage, observer);

        private sealed class DelegateObserver(Func<CancellationToken, Task> onStart, Func<CancellationToken, Task>? onStop) : ILifecycleObserver
        {
            public Task OnStart(CancellationToken cancellationToken = default) => onStart(cancellationToken);

            public Task OnStop(CancellationToken cancellationToken = default) => onStop?.Invoke(cancellationToken) ?? Task.CompletedTask;
        }
    }
}

namespace Orleans.Runtime
{
    public interface ISiloLifecycle : ILifecycleObservable
    {
        int HighestCompletedStage { get; }

        int LowestStoppedStage { get; }
    }

    /// <summary>Work done once when the silo starts; a failure stops the silo.</summary>
    public interface IStartupTask
    {
        Task Execute(CancellationToken cancellationToken);
    }
}

namespace Watch.Embedded.Lifecycle
{
    internal sealed class SiloLifecycle(Microsoft.Extensions.Logging.ILogger<SiloLifecycle> logger) : ISiloLifecycle
    {
        private readonly List<Subscription> _subscriptions = [];
        private int _highestStarted = int.MinValue;

        public int HighestCompletedStage { get; private set; } = int.MinValue;

        public int LowestStoppedStage { get; private set; } = int.MaxValue;

        public IDisposable Subscribe(string observerName, int stage, ILifecycleObserver observer)
        {
            var subscription = new Subscription(this, observerName, stage, observer);
            lock (_subscriptions)
                _subscriptions.Add(subscription);
            return subscription;
        }

        public async Task StartAsync(CancellationToken cancellationToken)
        {
            foreach (var stage in Stages())
            {
                cancellationToken.ThrowIfCancellationRequested();
                _highestStarted = stage.Key;
                await Task.WhenAll(stage.Select(s => StartOne(s, cancellationToken)));
                HighestCompletedStage = stage.Key;
            }
        }

        public async Task StopAsync(CancellationToken cancellationToken)
        {
            foreach (var stage in Stages().Reverse().Where(s => s.Key <= _highestStarted))
            {
                await Task.WhenAll(stage.Select(s => StopOne(s, cancellationToken)));
                LowestStoppedStage = stage.Key;
            }
        }

        private IGrouping<int, Subscription>[] Stages()
        {
            lock (_subscriptions)
                return [.. _subscriptions.GroupBy(s => s.Stage).OrderBy(g => g.Key)];
        }

        // An exception thrown before the first await is a failed start like any other.
        private static async Task StartOne(Subscription subscription, CancellationToken cancellationToken) =>
            await subscription.Observer.OnStart(cancellationToken);

        private async Task StopOne(Subscription subscription, CancellationToken cancellationToken)
        {
            try
            {
                await subscription.Observer.OnStop(cancellationToken);
            }
            catch (Exception e)
            {
                if (e is OperationCanceledException && cancellationToken.IsCancellationRequested)
                    return;    // hurried: who stops does not wait for the end
                Log.LifecycleStopFailed(logger, subscription.Name, subscription.Stage, e);
            }
        }

        private sealed class Subscription(SiloLifecycle owner, string name, int stage, ILifecycleObserver observer) : IDisposable
        {
            public string Name { get; } = name;

            public int Stage { get; } = stage;

            public ILifecycleObserver Observer { get; } = observer;

            public void Dispose()
            {
                lock (owner._subscriptions)
                    owner._subscriptions.Remove(this);
            }
        }
    }
}
