using System.Reflection;

namespace Watch.Grains;

/// <summary>Which engine this build runs on, as the build wrote it into the assembly.</summary>
public static class EngineInfo
{
    /// <summary><c>Orleans</c> or <c>Embedded</c>.</summary>
    public static string Name { get; } = Read("WatchEngine");

    /// <summary>For Embedded, why; else empty.</summary>
    public static string Reason { get; } = Read("WatchEngineReason");

    private static string Read(string key) =>
        typeof(EngineInfo).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .FirstOrDefault(each => string.Equals(each.Key, key, StringComparison.Ordinal))?.Value ?? "";
}
