using Watch.Core;
using Watch.Simulation.Tests.Faults;

namespace Watch.Simulation.Tests.Workloads;

/// <summary>Somebody who follows a key or a prefix and writes down what arrives, batch by batch.</summary>
/// <param name="gone">Done when the process that it runs in has ended.</param>
internal sealed class WatchActor(string name, WatchTarget target, History history, Revision? from, Task gone)
{
    private bool _isRunning;

    /// <summary>What arrived.</summary>
    public WatchRecord Record { get; } = new(name, target);

    /// <summary>Whether the watch was registered and has not ended.</summary>
    public bool IsRunning => _isRunning && !gone.IsCompleted;

    /// <summary>Registers, however often that takes, and reads until the watch ends.</summary>
    public async Task RunAsync(IWatchClient client, TimeProvider clock)
    {
        await using var stream = await RegisterAsync(client, clock);
        Record.Start = stream.Start;
        history.Add(Record);
        _isRunning = true;
        await foreach (var batch in stream.ReadBatchesAsync())
            Record.Batches.Add(batch);
        _isRunning = false;
        Record.End = await stream.Completion;
    }

    private async Task<IWatchStream> RegisterAsync(IWatchClient client, TimeProvider clock)
    {
        while (true)
        {
            try
            {
                return await client.WatchAsync(target, new WatchOptions { StartAt = from });
            }
            catch (WatchException error) when (error.Code is WatchErrorCode.Unavailable or WatchErrorCode.NoQuorum or WatchErrorCode.ShuttingDown or WatchErrorCode.Internal or WatchErrorCode.FutureRevision)
            {
                await Passing.On(clock, TimeSpan.FromMilliseconds(300));
            }
        }
    }
}
