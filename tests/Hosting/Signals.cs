// Barriers between a test and its grains: everything runs in one process, so a grain finds by name
// what the test waits for. No test sleeps.
using System.Collections.Concurrent;

namespace Watch.Hosting.Tests;

public static class Signals
{
    private static readonly ConcurrentDictionary<string, TaskCompletionSource> All = new(StringComparer.Ordinal);

    public static void Set(string name) => Of(name).TrySetResult();

    public static Task Wait(string name) => Of(name).Task.WaitAsync(TestCluster.Patience);

    private static TaskCompletionSource Of(string name) =>
        All.GetOrAdd(name, _ => new(TaskCreationOptions.RunContinuationsAsynchronously));
}

public static class Journal
{
    private static readonly ConcurrentDictionary<string, ConcurrentQueue<string>> All = new(StringComparer.Ordinal);

    public static void Write(string name, string line) => All.GetOrAdd(name, _ => new()).Enqueue(line);

    public static string[] Read(string name) => All.TryGetValue(name, out var lines) ? [.. lines] : [];
}
