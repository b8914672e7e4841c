// Who belongs to the cluster and in what state. One table for the process; everybody sees each
// change at once, and can wait for the next.
using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using Orleans.Runtime;
using Watch.Embedded.Runtime;

namespace Orleans.Runtime
{
    public enum SiloStatus
    {
        None = 0,
        Created = 1,
        Joining = 2,
        Active = 3,
        ShuttingDown = 4,
        Stopping = 5,
        Dead = 6,
    }

    [Immutable]
    public readonly record struct MembershipVersion(long Value) : IComparable<MembershipVersion>
    {
        public static MembershipVersion MinValue => new(long.MinValue);

        public int CompareTo(MembershipVersion other) => Value.CompareTo(other.Value);

        public override string ToString() => Value.ToString(System.Globalization.CultureInfo.InvariantCulture);

        public static bool operator <(MembershipVersion left, MembershipVersion right) => left.Value < right.Value;

        public static bool operator >(MembershipVersion left, MembershipVersion right) => left.Value > right.Value;

        public static bool operator <=(MembershipVersion left, MembershipVersion right) => left.Value <= right.Value;

        public static bool operator >=(MembershipVersion left, MembershipVersion right) => left.Value >= right.Value;
    }

    [Immutable]
    public sealed record ClusterMember(SiloAddress SiloAddress, SiloStatus Status, string Name);

    [Immutable]
    public sealed class ClusterMembershipSnapshot(ImmutableDictionary<SiloAddress, ClusterMember> members, MembershipVersion version)
    {
        public ImmutableDictionary<SiloAddress, ClusterMember> Members { get; } = members;

        public MembershipVersion Version { get; } = version;

        public SiloStatus GetSiloStatus(SiloAddress silo) => Members.TryGetValue(silo, out var member) ? member.Status : SiloStatus.None;
    }

    public interface IClusterMembershipService
    {
        ClusterMembershipSnapshot CurrentSnapshot { get; }

        /// <summary>The current snapshot, then every later one; a slow reader skips to the newest.</summary>
        IAsyncEnumerable<ClusterMembershipSnapshot> MembershipUpdates { get; }

        ValueTask Refresh(MembershipVersion minimumVersion = default, CancellationToken cancellationToken = default);

        Task<bool> TryKill(SiloAddress siloAddress);
    }

    public interface ILocalSiloDetails
    {
        string Name { get; }

        string ClusterId { get; }

        string DnsHostName { get; }

        SiloAddress SiloAddress { get; }

        SiloAddress GatewayAddress { get; }
    }
}

namespace Watch.Embedded.Runtime
{
    internal sealed class Membership(IEmbeddedEnvironment environment) : IClusterMembershipService
    {
        private readonly Lock _gate = new();
        private readonly Dictionary<SiloAddress, SiloNode> _silos = [];
        private ClusterMembershipSnapshot _snapshot = new(ImmutableDictionary<SiloAddress, ClusterMember>.Empty, new(1));
        private TaskCompletionSource _changed = new(environment.PromiseOptions);
        private volatile SiloNode[] _active = [];

        public ClusterMembershipSnapshot CurrentSnapshot => Volatile.Read(ref _snapshot);

        public IAsyncEnumerable<ClusterMembershipSnapshot> MembershipUpdates => ReadUpdates();

        /// <summary>The silos that take new activations, in the order of their names.</summary>
        public SiloNode[] ActiveSilos => _active;

        public ValueTask Refresh(MembershipVersion minimumVersion = default, CancellationToken cancellationToken = default) => default;

        public Task<bool> TryKill(SiloAddress siloAddress)
        {
            if (FindLive(siloAddress) is not { } silo)
                return Task.FromResult(false);
            Kill(silo, freeze: false);
            return Task.FromResult(true);
        }

        public SiloNode? FindLive(SiloAddress address)
        {
            lock (_gate)
                return _silos.GetValueOrDefault(address);
        }

        public void RequireActive(SiloNode silo)
        {
            if (Array.IndexOf(_active, silo) < 0)
                throw new SiloUnavailableException($"Silo {silo.Address} takes no new activations: it is not active.");
        }

        public void Set(SiloNode silo, SiloStatus status)
        {
            TaskCompletionSource changed;
            lock (_gate)
            {
                if (_snapshot.GetSiloStatus(silo.Address) == SiloStatus.Dead)
                    return;    // the dead stay dead
                if (status == SiloStatus.Dead)
                    _silos.Remove(silo.Address);
                else
                    _silos[silo.Address] = silo;
                var members = _snapshot.Members.SetItem(silo.Address, new(silo.Address, status, silo.Name));
                _snapshot = new(members, new(_snapshot.Version.Value + 1));
                _active = [.. _silos.Values.Where(s => members[s.Address].Status == SiloStatus.Active)
                    .OrderBy(s => s.Name, StringComparer.Ordinal)];
                changed = _changed;
                _changed = new(environment.PromiseOptions);
            }

            if (status == SiloStatus.Dead)
                silo.NoteDead();
            Log.SiloStatusChanged(silo.Logger, silo.Name, silo.Address, status);
            silo.Environment.Trace("status", $"{silo.Name} {status}");
            if (status == SiloStatus.Dead)
                silo.Cluster.NoteDeath(silo, Live());
            changed.TrySetResult();
        }

        /// <summary>A crash: the silo is dead for everybody at once.</summary>
        public void Kill(SiloNode silo, bool freeze)
        {
            silo.NoteDead(freeze);
            Set(silo, SiloStatus.Dead);
        }

        private List<SiloNode> Live()
        {
            lock (_gate)
                return [.. _silos.Values];
        }

        private async IAsyncEnumerable<ClusterMembershipSnapshot> ReadUpdates([EnumeratorCancellation] CancellationToken cancellationToken = default)
        {
            var seen = MembershipVersion.MinValue;
            while (true)
            {
                Task changed;
                ClusterMembershipSnapshot snapshot;
                lock (_gate)
                {
                    changed = _changed.Task;
                    snapshot = _snapshot;
                }

                if (snapshot.Version > seen)
                {
                    seen = snapshot.Version;
                    yield return snapshot;
                }

                await changed.WaitAsync(cancellationToken);
            }
        }
    }
}
