using System.Diagnostics.Metrics;

namespace Watch.Client;

/// <summary>
/// What the clients of this process tell to whoever listens to the meter <see cref="MeterName"/>: the one place of its names, which are
/// listed in docs/metrics.md. Where nobody listens nothing is measured. Thread-safe.
/// </summary>
internal static class ClientMetrics
{
    /// <summary>The meter.</summary>
    public const string MeterName = "Watch.Client";

    private static readonly Meter s_meter = new(MeterName);
    private static readonly Counter<long> s_resumes = s_meter.CreateCounter<long>("watch.resumes", "{resume}", "Times that a watch lost its way to a silo and went on at its cursor.");

    /// <summary>A watch went on.</summary>
    public static void Resumed() => s_resumes.Add(1);
}
