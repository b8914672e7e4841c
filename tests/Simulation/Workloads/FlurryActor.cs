using Watch.Core;

namespace Watch.Simulation.Tests.Workloads;

/// <summary>
/// Somebody who writes for the watchers' sake: many keys at different depths, with and without slashes, few values, so that some puts change
/// nothing, and many deletes. What it was told is not written down; what it did stands in the log.
/// </summary>
internal sealed class FlurryActor(string name, History history, Random random) : Actor(name, history, random)
{
    /// <summary>Everything that it writes.</summary>
    public static IReadOnlyList<string> Keys { get; } =
    [
        .. from folder in new[] { "/tree/", "/tree/a/", "/tree/b/", "/tree/b/c/", "x:" } from at in Enumerable.Range(0, 4) select $"{folder}{at}",
        "/tree/a", "/tree", "x",
    ];

    /// <summary>Whether a key is one of them.</summary>
    public static bool Writes(string key) => key.StartsWith("/tree", StringComparison.Ordinal) || key.StartsWith('x');

    public override TimeSpan Pause => TimeSpan.FromMilliseconds(Random.Next(1, 120));

    public override async Task StepAsync(IWatchClient client)
    {
        for (var left = 1 + Random.Next(6); left > 0; left--)
        {
            var key = Keys[Random.Next(Keys.Count)];
            try
            {
                if (Random.Next(3) == 0)
                    await client.DeleteAsync(key);
                else
                    await client.PutAsync(key, $"v{Random.Next(3)}");
            }
            catch (WatchException)
            {
                return;
            }
        }
    }
}
