using System.Text;
using Watch.Core;

namespace Watch.ClientApp.Load;

/// <summary>Writers, each with keys of its own and a value for every write that nobody else writes, and a watcher of all of it.</summary>
internal sealed class LoadRun(IWatchClient client, LoadRecord record, Key prefix, TimeProvider time)
{
    private const int KeysOfWriter = 10;

    /// <summary>How long, at the end, the store may take to answer, and the watcher to see what was written.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(100);

    /// <summary>The last revision that the watcher saw.</summary>
    public Revision Last { get; private set; }

    public async Task RunAsync(int writers, int perSecond, CancellationToken stop)
    {
        await using var stream = await client.WatchAsync(WatchTarget.Prefix(prefix), new WatchOptions { QueueEventsMax = 1_000_000 }, stop);
        var watching = WatchAsync(stream);
        var pace = TimeSpan.FromSeconds((double)writers / perSecond);
        await Task.WhenAll(Enumerable.Range(0, writers).Select(writer => WriteAsync(writer, pace, stop)));

        var (keys, _) = await EventuallyAsync(() => client.ScanAllAsync(prefix));
        foreach (var each in keys)
            record.Stands(each.Key.ToString(), Encoding.UTF8.GetString(each.Value.Span), each.ModRevision.Value);
        var last = keys.IsEmpty ? stream.Start : keys.Max(each => each.ModRevision);
        var began = time.GetTimestamp();
        while (Last < last && !watching.IsCompleted && time.GetElapsedTime(began) < s_patience)
            await Task.Delay(s_pause, time, CancellationToken.None);
        await stream.DisposeAsync();
        await watching;
    }

    private async Task WriteAsync(int writer, TimeSpan pace, CancellationToken stop)
    {
        for (var number = 0; !stop.IsCancellationRequested; number++)
        {
            var begun = time.GetTimestamp();
            await WriteAsync(writer, $"{prefix}{writer}/{number % KeysOfWriter}", $"{writer}-{number}");
            var rest = pace - time.GetElapsedTime(begun);
            if (rest > TimeSpan.Zero && !stop.IsCancellationRequested)
                await Task.Delay(rest, time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        }
    }

    private async Task WriteAsync(int writer, string key, string value)
    {
        try
        {
            // Not canceled with the load: what was begun is waited for, so that the record says what became of it.
            var result = await client.PutAsync(key, value);
            record.Acknowledge(writer, key, value, result.Revision.Value);
        }
        catch (WatchException error) when (error.Code == WatchErrorCode.OutcomeUnknown)
        {
            record.Lose(writer, key, value);
        }
        catch (WatchException)
        {
            record.Refuse(writer, key, value);
            await Task.Delay(s_pause, time, CancellationToken.None);
        }
    }

    private async Task WatchAsync(IWatchStream stream)
    {
        await foreach (var each in stream)
        {
            if (each.Type == WatchEventType.Canceled)
            {
                record.End($"{each.Reason}: {each.Message}");
                return;
            }

            record.See(each.Key.ToString(), Encoding.UTF8.GetString(each.Value.Span), each.Revision.Value);
            Last = each.Revision;
        }
    }

    private async Task<T> EventuallyAsync<T>(Func<Task<T>> ask)
    {
        var began = time.GetTimestamp();
        while (true)
        {
            try
            {
                return await ask();
            }
            catch (WatchException) when (time.GetElapsedTime(began) < s_patience)
            {
                await Task.Delay(s_pause, time, CancellationToken.None);
            }
        }
    }
}
