using System.Text;
using Watch.Core;

namespace Watch.ClientApp.Load;

/// <summary>Writers, each with keys of its own and a value for every write that nobody else writes, readers of every policy, and a watcher of all of it.</summary>
internal sealed class LoadRun(IWatchClient client, LoadRecord record, Key prefix, TimeProvider time)
{
    private const int KeysOfWriter = 10;

    /// <summary>How long, at the end, the store may take to answer, and the watcher to see what was written.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(100);

    /// <summary>How often a reader reads at most.</summary>
    private static readonly TimeSpan s_readPace = TimeSpan.FromMilliseconds(25);

    private long _acknowledged;

    /// <summary>The last revision that the watcher saw.</summary>
    public Revision Last { get; private set; }

    /// <param name="writers">How many write.</param>
    /// <param name="perSecond">How many writes all of them begin in a second at most.</param>
    /// <param name="readers">How many read by each policy.</param>
    /// <param name="seconds">How long, from when the watch stands; null for until it is stopped.</param>
    /// <param name="canceled">Ends the load.</param>
    public async Task RunAsync(int writers, int perSecond, int readers, int? seconds, CancellationToken canceled)
    {
        await using var stream = await client.WatchAsync(WatchTarget.Prefix(prefix), new WatchOptions { QueueEventsMax = 1_000_000 }, canceled);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(canceled);
        if (seconds is { } lasts)
            ending.CancelAfter(TimeSpan.FromSeconds(lasts));
        var stop = ending.Token;
        var watching = WatchAsync(stream);
        var pace = TimeSpan.FromSeconds((double)writers / perSecond);
        var kinds = Enum.GetValues<ReadKind>();
        await Task.WhenAll([
            .. Enumerable.Range(0, writers).Select(writer => WriteAsync(writer, pace, stop)),
            .. Enumerable.Range(0, readers * kinds.Length).Select(reader => ReadAsync(reader, kinds[reader % kinds.Length], writers, stop))]);

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
            Interlocked.Exchange(ref _acknowledged, Math.Max(Interlocked.Read(ref _acknowledged), result.Revision.Value));
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

    /// <summary>Reads the writers' keys in turn.</summary>
    private async Task ReadAsync(int reader, ReadKind kind, int writers, CancellationToken stop)
    {
        for (var number = reader; !stop.IsCancellationRequested; number++)
        {
            var key = $"{prefix}{number % writers}/{number / writers % KeysOfWriter}";
            var policy = new ReadPolicy(kind, kind == ReadKind.AtLeast ? new Revision(Interlocked.Read(ref _acknowledged)) : Revision.None);
            record.Ask(reader, policy, key);
            try
            {
                var found = await client.GetAsync(Key.Of(key), policy, CancellationToken.None);
                var value = found.Key is { } known ? Encoding.UTF8.GetString(known.Value.Span) : null;
                record.Answer(reader, value, found.Key?.ModRevision.Value ?? 0);
            }
            catch (WatchException)
            {
                record.AnswerNothing(reader);
            }

            await Task.Delay(s_readPace, time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
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
