using Orleans.Hosting;
#if ENGINE_ORLEANS
using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.DependencyInjection;
using Orleans.GrainDirectory;
using Orleans.Metadata;
using Orleans.Runtime;
using Orleans.Runtime.GrainDirectory;
#endif

namespace Watch.Grains.Engine;

/// <summary>
/// Grains that every silo has for itself are found without asking anybody. Orleans' directory is spread over the silos, and the first
/// call of a grain on a silo asks the one that owns its name, even where the grain is local by its nature: while that silo is frozen, and
/// not yet declared dead, a key whose name it owns could not be reached through any other. So these grains have a directory that knows
/// nothing and answers at once, and are placed where they are called. Embedded needs none.
/// </summary>
internal static class NearGrains
{
#if ENGINE_ORLEANS
    // The session is not local by nature, but by its use: its id is drawn by its one client, which calls it through one gateway.
    private static readonly HashSet<string> s_types =
        new(["watch.kv", "watch.bucket", "watch.consensus", "watch.publisher", "watch.cluster", "watch.session", "watch.hub"], StringComparer.Ordinal);

    public static void Add(ISiloBuilder builder) => builder.Services.AddSingleton<IGrainDirectoryResolver, Resolver>();

    private sealed class Resolver : IGrainDirectoryResolver
    {
        private readonly NoDirectory _none = new();

        public bool TryResolveGrainDirectory(GrainType grainType, GrainProperties? properties, [NotNullWhen(true)] out IGrainDirectory? grainDirectory)
        {
            grainDirectory = s_types.Contains(grainType.ToString()!) ? _none : null;
            return grainDirectory is not null;
        }
    }

    /// <summary>Knows no grain, and agrees to every registration.</summary>
    private sealed class NoDirectory : IGrainDirectory
    {
        public Task<GrainAddress?> Register(GrainAddress address) => Task.FromResult<GrainAddress?>(address);

        public Task Unregister(GrainAddress address) => Task.CompletedTask;

        public Task<GrainAddress?> Lookup(GrainId grainId) => Task.FromResult<GrainAddress?>(null);

        public Task UnregisterSilos(List<SiloAddress> siloAddresses) => Task.CompletedTask;
    }
#else
    public static void Add(ISiloBuilder builder)
    {
    }
#endif
}
