using Orleans.Hosting;
#if ENGINE_ORLEANS
using Microsoft.Extensions.DependencyInjection;
using Orleans;
using Orleans.Runtime;
using Watch.Grains.Consensus;
#endif

namespace Watch.Grains.Engine;

/// <summary>
/// Keeps clients outside the cluster from calling what silos say to each other. They do not have those contracts, but could make some of
/// the same names. On Embedded the gateway itself takes calls of public interfaces only.
/// </summary>
internal static class ContractsGuard
{
#if ENGINE_ORLEANS
    private const string HostedPrefix = "hosted-";

    public static void Add(ISiloBuilder builder) => builder.AddIncomingGrainCallFilter<Filter>();

    private sealed class Filter : IIncomingGrainCallFilter
    {
        public Task Invoke(IIncomingGrainCallContext context)
        {
            var contract = context.InterfaceMethod.DeclaringType;
            if (contract is { IsVisible: false } && contract.Assembly == typeof(IReplicaService).Assembly && context.SourceId is { } source && IsOutside(source))
                throw new WatchException(WatchErrorCode.Unauthorized, $"{contract.Name} is not for clients.");
            return context.Invoke();
        }

        // Services that a silo hosts are clients, too, but inside.
        private static bool IsOutside(GrainId source) =>
            source.IsClient() && !source.Key.ToString()!.StartsWith(HostedPrefix, StringComparison.Ordinal);
    }
#else
    public static void Add(ISiloBuilder builder)
    {
    }
#endif
}
