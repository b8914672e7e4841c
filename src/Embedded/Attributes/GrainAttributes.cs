// The attributes by which a grain class or a grain method chooses how it is run: how many
// activations, which calls may interleave, how long an idle activation stays.
using Orleans.Placement;
using Orleans.Runtime;

namespace Orleans.Concurrency
{
    /// <summary>Local to each silo, up to a number of activations per grain; no directory entry.</summary>
    [AttributeUsage(AttributeTargets.Class)]
    public sealed class StatelessWorkerAttribute : PlacementAttribute
    {
        public StatelessWorkerAttribute() : this(-1) { }

        public StatelessWorkerAttribute(int maxLocalWorkers) : this(maxLocalWorkers, true) { }

        public StatelessWorkerAttribute(int maxLocalWorkers, bool removeIdleWorkers)
            : base(PlacementKind.StatelessWorker)
        {
            MaxLocalWorkers = maxLocalWorkers;
            RemoveIdleWorkers = removeIdleWorkers;
        }

        internal int MaxLocalWorkers { get; }

        internal bool RemoveIdleWorkers { get; }
    }

    /// <summary>All calls of this grain may interleave at its awaits.</summary>
    [AttributeUsage(AttributeTargets.Class)]
    public sealed class ReentrantAttribute : Attribute;

    /// <summary>This method may interleave with any other call.</summary>
    [AttributeUsage(AttributeTargets.Method)]
    public sealed class AlwaysInterleaveAttribute : Attribute;

    /// <summary>This method may interleave with other read-only calls.</summary>
    [AttributeUsage(AttributeTargets.Method)]
    public sealed class ReadOnlyAttribute : Attribute;

    /// <summary>The caller does not wait: its task completes when the message was sent.</summary>
    [AttributeUsage(AttributeTargets.Method)]
    public sealed class OneWayAttribute : Attribute;
}

namespace Orleans.Placement
{
    /// <summary>Base of the attributes that say where a grain is activated.</summary>
    [AttributeUsage(AttributeTargets.Class, AllowMultiple = false)]
    public abstract class PlacementAttribute : Attribute
    {
        private protected PlacementAttribute(PlacementKind kind) => Kind = kind;

        internal PlacementKind Kind { get; }
    }

    internal enum PlacementKind
    {
        Random,
        PreferLocal,
        StatelessWorker,
    }

    [AttributeUsage(AttributeTargets.Class, AllowMultiple = false)]
    public sealed class PreferLocalPlacementAttribute : PlacementAttribute
    {
        public PreferLocalPlacementAttribute() : base(PlacementKind.PreferLocal) { }
    }

    [AttributeUsage(AttributeTargets.Class, AllowMultiple = false)]
    public sealed class RandomPlacementAttribute : PlacementAttribute
    {
        public RandomPlacementAttribute() : base(PlacementKind.Random) { }
    }

    /// <summary>Accepted for Orleans' sake: this host never moves an activation.</summary>
    [AttributeUsage(AttributeTargets.Class, AllowMultiple = false)]
    public sealed class ImmovableAttribute(ImmovableKind kind = ImmovableKind.Any) : Attribute
    {
        public ImmovableKind Kind { get; } = kind;
    }

    public enum ImmovableKind : byte
    {
        Repartitioner = 1,
        Rebalancer = 2,
        Any = 3,
    }
}

namespace Orleans
{
    [AttributeUsage(AttributeTargets.Class, AllowMultiple = false)]
    public sealed class GrainTypeAttribute(string grainType) : Attribute
    {
        internal GrainType GrainType { get; } = GrainType.Create(grainType);
    }

    /// <summary>Activations of this class are never collected for idleness.</summary>
    [AttributeUsage(AttributeTargets.Class, AllowMultiple = false)]
    public class KeepAliveAttribute : Attribute;
}

namespace Orleans.Configuration
{
    /// <summary>How long an activation of this class may be idle before it is collected.</summary>
    [AttributeUsage(AttributeTargets.Class, AllowMultiple = false)]
    public class CollectionAgeLimitAttribute : Attribute
    {
        public static readonly TimeSpan MinAgeLimit = TimeSpan.FromMinutes(1);

        private readonly TimeSpan? _period;

        public CollectionAgeLimitAttribute() { }

        public CollectionAgeLimitAttribute(string inactivityPeriod) =>
            _period = TimeSpan.Parse(inactivityPeriod, System.Globalization.CultureInfo.InvariantCulture);

        public double Days { get; set; }

        public double Hours { get; set; }

        public double Minutes { get; set; }

        public bool AlwaysActive { get; set; }

        public TimeSpan AgeLimit
        {
            get
            {
                var age = _period ?? TimeSpan.FromDays(Days) + TimeSpan.FromHours(Hours) + TimeSpan.FromMinutes(Minutes);
                return AlwaysActive ? TimeSpan.MaxValue : age < MinAgeLimit ? MinAgeLimit : age;
            }
        }
    }
}
