using System.Globalization;
using Microsoft.Extensions.Options;
using Orleans;
using Orleans.Runtime;

namespace Watch.Grains;

/// <summary>Stops a silo that was configured wrongly before it starts anything.</summary>
internal sealed class WatchSiloOptionsValidator(IOptions<WatchSiloOptions> options) : IConfigurationValidator
{
    private static readonly TimeSpan s_forgetScopesMin = TimeSpan.FromSeconds(10);

    public void ValidateConfiguration()
    {
        var value = options.Value;
        if (string.IsNullOrWhiteSpace(value.DataDirectory))
            throw Bad(nameof(value.DataDirectory), "empty", "the path of a folder");

        Between(nameof(value.KeyBytesMax), value.KeyBytesMax, 1, WatchSiloOptions.KeyBytesLimit);
        Between(nameof(value.ValueBytesMax), value.ValueBytesMax, 1, WatchSiloOptions.ValueBytesLimit);
        Between(nameof(value.ProposalsMax), value.ProposalsMax, 1, 1_000_000);
        Between(nameof(value.ProposalsBytesMax), value.ProposalsBytesMax, 1 << 20, long.MaxValue);
        Between(nameof(value.HistoryRevisionsMax), value.HistoryRevisionsMax, 1_000, long.MaxValue);
        Between(nameof(value.HistoryBytesMax), value.HistoryBytesMax, 1 << 20, long.MaxValue);
        if (value.HistoryAgeMax is { } age)
            Between(nameof(value.HistoryAgeMax), age, TimeSpan.FromSeconds(1), TimeSpan.FromDays(3650));
        Between(nameof(value.SnapshotEntries), value.SnapshotEntries, 100, 100_000_000);
        Between(nameof(value.SnapshotBytes), value.SnapshotBytes, 64 << 10, long.MaxValue);
        Between(nameof(value.WatchersMax), value.WatchersMax, 1, 10_000_000);
        Between(nameof(value.WatchesPerSessionMax), value.WatchesPerSessionMax, 1, 10_000_000);
        Between(nameof(value.SessionLease), value.SessionLease, TimeSpan.FromSeconds(5), TimeSpan.FromMinutes(10));
        Between(nameof(value.QueueEventsDefault), value.QueueEventsDefault, 1, 1_000_000);
        Between(nameof(value.QueueBytesMax), value.QueueBytesMax, 64 << 10, 1L << 30);
        Between(nameof(value.PublishQueueEventsMax), value.PublishQueueEventsMax, 1, 10_000_000);
        Between(nameof(value.PublishQueueBytesMax), value.PublishQueueBytesMax, 1 << 20, long.MaxValue);
        Between(nameof(value.ForwardEventsMax), value.ForwardEventsMax, 64, 1_000_000);
        Between(nameof(value.ForwardBytesMax), value.ForwardBytesMax, 1 << 20, long.MaxValue);
        Between(nameof(value.PushQueuesPerSilo), value.PushQueuesPerSilo, 1, 64);
        Between(nameof(value.Hold), value.Hold, TimeSpan.Zero, TimeSpan.FromSeconds(1));
        Between(nameof(value.FetchesInFlightMax), value.FetchesInFlightMax, 1, 1_024);
        Between(nameof(value.RepairsInFlightMax), value.RepairsInFlightMax, 1, 1_024);
        Between(nameof(value.FetchPageBytes), value.FetchPageBytes, 64, 16 << 20);
        Between(nameof(value.SnapshotPageBytes), value.SnapshotPageBytes, 64, 16 << 20);
        Between(nameof(value.ProgressInterval), value.ProgressInterval, TimeSpan.FromMilliseconds(50), TimeSpan.FromMinutes(1));
        var twoQuestions = 2 * value.ProgressInterval;
        Between(nameof(value.ForgetScopesAfter), value.ForgetScopesAfter, twoQuestions > s_forgetScopesMin ? twoQuestions : s_forgetScopesMin, TimeSpan.FromDays(1));
        Between(nameof(value.LeaderTimeout), value.LeaderTimeout, TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(5));
    }

    private static void Between<T>(string setting, T value, T least, T most)
        where T : IComparable<T>, IFormattable
    {
        if (value.CompareTo(least) < 0 || value.CompareTo(most) > 0)
            throw Bad(setting, Text(value), $"{Text(least)} to {Text(most)}");
    }

    private static string Text(IFormattable value) => value.ToString(null, CultureInfo.InvariantCulture);

    private static OrleansConfigurationException Bad(string setting, string value, string allowed) =>
        new($"The setting Watch:{setting} is {value}; allowed is {allowed}.");
}
