using System.Reflection;
using Xunit.Sdk;

namespace Watch.Cluster.Tests;

/// <summary>Where a client stands.</summary>
public enum Origin
{
    /// <summary>In a silo, as a service that it hosts.</summary>
    Hosted,

    /// <summary>Outside the cluster.</summary>
    Remote,
}

/// <summary>Runs a test for both kinds of client.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class BothOriginsAttribute : DataAttribute
{
    public override IEnumerable<object[]> GetData(MethodInfo testMethod) => [[Origin.Hosted], [Origin.Remote]];
}
