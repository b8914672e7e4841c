using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Watch.Core;
using Watch.Core.Watching;
using Watch.Grains.Consensus;

namespace Watch.Grains.Watching;

/// <summary>
/// Performs the effects of this silo's <see cref="WatchTable"/>: registrations at the leader, reads of history, and the periodic question
/// whether anything was missed. It runs in the turns of <see cref="WatchDispatcherService"/>.
/// </summary>
/// <remarks>
/// Registrations, their withdrawals and questions about progress go to a bucket's leader in order (<see cref="RegistrationLane"/>). Reads
/// of history are independent of each other and of those.
/// </remarks>
internal sealed partial class DispatcherLoop(WatchDispatcher dispatcher, LeaderLocator leaders, IHistorySource history, string silo, WatchSiloOptions options, TimeProvider time, ILogger logger)
{
    /// <summary>How long a leader is looked for that is to know that this silo stops: it is a courtesy, and nobody may lead any more.</summary>
    private static readonly TimeSpan s_farewell = TimeSpan.FromSeconds(1);

    // One token each: "look again". Writing it never blocks and never piles up.
    private readonly Channel<bool> _wake = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });

    // One per subscription that waits for room at most, and those are limited.
    private readonly Channel<SubscriptionId> _continues = Channel.CreateBounded<SubscriptionId>(options.WatchersMax);
    private readonly Dictionary<BucketId, RegistrationLane> _lanes = [];
    private readonly CancellationTokenSource _stopping = new();
    private InvariantViolationException? _broken;
    private IReadOnlyList<BucketId> _bucketsAtStop = [];
    private volatile bool _progressDue;

    /// <summary>There may be effects, or an earlier deadline.</summary>
    public void Wake() => _wake.Writer.TryWrite(true);

    /// <summary>A consumer has made room for a subscription's replay. Any thread.</summary>
    public void Continue(SubscriptionId id)
    {
        _continues.Writer.TryWrite(id);
        Wake();
    }

    /// <summary>Ends the loop.</summary>
    /// <param name="buckets">The buckets of which something was watched until now.</param>
    public void Stop(IReadOnlyList<BucketId> buckets)
    {
        _bucketsAtStop = buckets;
        _stopping.Cancel();
        Wake();
    }

    /// <summary>A rule of the table is broken: nothing it says can be believed any more. The loop ends with that.</summary>
    public void Fail(InvariantViolationException broken)
    {
        _broken ??= broken;
        Wake();
    }

    public async Task RunAsync()
    {
        using var deadline = time.CreateTimer(_ => Wake(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        using var progress = time.CreateTimer(_ => AskForProgress(), null, options.ProgressInterval, options.ProgressInterval);
        try
        {
            await LoopAsync(deadline);
        }
        catch (Exception error)
        {
            // Without this loop nothing is repaired any more.
            LogFailed(logger, error);
            dispatcher.Fail(error);
        }
    }

    private async Task LoopAsync(ITimer deadline)
    {
        while (!_stopping.IsCancellationRequested)
        {
            await _wake.Reader.WaitToReadAsync();
            _wake.Reader.TryRead(out _);
            if (_broken is { } broken)
                throw broken;
            var (effects, nextMs) = dispatcher.Step(Due);
            deadline.Change(nextMs is { } due ? TimeSpan.FromMilliseconds(Math.Max(0, due - NowMs)) : Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            foreach (var effect in effects)
                Start(effect);
            if (_progressDue)
                StartProgress();
        }

        if (_bucketsAtStop.Count > 0)
            await ForgetAsync(_bucketsAtStop);
    }

    private long NowMs => dispatcher.NowMs;

    private void AskForProgress()
    {
        _progressDue = true;
        Wake();
    }

    private (IReadOnlyList<WatchEffect> Effects, long? NextMs) Due(WatchTable table)
    {
        while (_continues.Reader.TryRead(out var id))
            table.Continue(id, NowMs);
        if (table.NextDeadlineMs <= NowMs)
            table.Tick(NowMs);
        return (table.TakeEffects(), table.NextDeadlineMs);
    }

    /// <summary>Starts an effect. Nobody awaits it, but each ends by telling the table how it went, whatever happens.</summary>
    private void Start(WatchEffect effect)
    {
        switch (effect)
        {
            case WatchEffect.Fetch fetch:
                _ = FetchAsync(fetch);
                break;
            case WatchEffect.ReadSnapshot read:
                _ = ReadAsync(read);
                break;
            default:
                Lane(effect.Bucket).Add(effect);
                break;
        }
    }

    private async Task FetchAsync(WatchEffect.Fetch fetch)
    {
        try
        {
            var piece = await history.ReadAsync(fetch, CancellationToken.None);
            dispatcher.Do(table => table.Fetched(fetch.Id, piece, NowMs));
        }
        catch (WatchException error) when (error.Code == WatchErrorCode.Compacted)
        {
            dispatcher.Do(table => table.FetchCompacted(fetch.Id, error.FirstAvailable, NowMs));
        }
        catch (Exception error)
        {
            LogQuestionFailed(logger, error, fetch.Scope);
            dispatcher.Do(table => table.FetchFailed(fetch.Id, NowMs));
        }
    }

    private async Task ReadAsync(WatchEffect.ReadSnapshot read)
    {
        try
        {
            var piece = await history.ReadAsync(read, CancellationToken.None);
            dispatcher.Do(table => table.Snapshotted(read.Id, piece, NowMs));
        }
        catch (WatchException error) when (error.Code == WatchErrorCode.Compacted)
        {
            dispatcher.Do(table => table.SnapshotCompacted(read.Id, error.FirstAvailable, NowMs));
        }
        catch (Exception error)
        {
            LogQuestionFailed(logger, error, read.Scope);
            dispatcher.Do(table => table.SnapshotFailed(read.Id, NowMs));
        }
    }

    /// <summary>This silo stops: the leaders need not tell it anything any more. One that is not reached learns it from membership.</summary>
    private async Task ForgetAsync(IReadOnlyList<BucketId> buckets)
    {
        // All at once; each handles its own failure.
        foreach (var each in buckets.Select(ForgetAsync).ToList())
            await each;
    }

    private async Task ForgetAsync(BucketId bucket)
    {
        try
        {
            var spent = options.LeaderTimeout > s_farewell ? options.LeaderTimeout - s_farewell : TimeSpan.Zero;
            await leaders.ReadAsync(bucket, time.GetTimestamp() - (long)(spent.TotalSeconds * time.TimestampFrequency), leader => leader.Forget(bucket, silo));
        }
        catch (Exception error)
        {
            LogQuestionFailed(logger, error, Scope.Bucket);
        }
    }

    /// <summary>The time has come to ask about every bucket of which something is watched.</summary>
    private void StartProgress()
    {
        _progressDue = false;
        var buckets = dispatcher.Step(table => table.Buckets.ToList());
        foreach (var bucket in buckets)
            Lane(bucket).Add(new WatchEffect.AskProgress(bucket));
        foreach (var (bucket, lane) in _lanes.ToList())
            if (lane.IsIdle && !buckets.Contains(bucket))
                _lanes.Remove(bucket);
    }

    private RegistrationLane Lane(BucketId bucket)
    {
        if (!_lanes.TryGetValue(bucket, out var lane))
            _lanes.Add(bucket, lane = new RegistrationLane(bucket, dispatcher, leaders, silo, logger));
        return lane;
    }

    [LoggerMessage(Level = LogLevel.Critical, Message = "This silo's watching failed: the silo stops, and its watches go on elsewhere")]
    private static partial void LogFailed(ILogger logger, Exception error);

    [LoggerMessage(Level = LogLevel.Debug, Message = "A question to the leader about {Scope} failed; it is asked again")]
    private static partial void LogQuestionFailed(ILogger logger, Exception error, Scope scope);
}
