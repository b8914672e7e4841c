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
/// Registrations and their withdrawals go to the leader one call at a time, in the order of the effects, since a withdrawal that
/// overtook a registration would silence a watch; what gathers meanwhile goes with the next call, so a storm of new watches costs few
/// calls. Reads of history are independent of each other and of those.
/// </remarks>
internal sealed partial class DispatcherLoop(WatchDispatcher dispatcher, LeaderLocator leaders, string silo, WatchSiloOptions options, TimeProvider time, ILogger logger)
{
    private const int ScopesPerCallMax = 1024;

    // One token each: "look again". Writing it never blocks and never piles up.
    private readonly Channel<bool> _wake = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });

    // One per subscription that waits for room at most, and those are limited.
    private readonly Channel<SubscriptionId> _continues = Channel.CreateBounded<SubscriptionId>(options.WatchersMax);
    private readonly List<WatchEffect> _registrations = [];
    private readonly CancellationTokenSource _stopping = new();
    private InvariantViolationException? _broken;
    private IReadOnlyList<BucketId> _bucketsAtStop = [];
    private bool _registering;
    private bool _asking;
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

    private long NowMs => (long)time.GetElapsedTime(0).TotalMilliseconds;

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
        if (effect is WatchEffect.Fetch fetch)
        {
            _ = FetchAsync(fetch);
            return;
        }

        _registrations.Add(effect);
        if (!_registering)
            _ = RegisterAllAsync();
    }

    private async Task FetchAsync(WatchEffect.Fetch fetch)
    {
        try
        {
            var request = new HistoryRequest(fetch.Bucket, fetch.Scope, fetch.After, fetch.UpTo, fetch.EventsMax, fetch.BytesMax);
            var reply = await leaders.ReadAsync(fetch.Bucket, leader => leader.History(request));
            var commits = reply.Changes.GroupBy(change => change.Revision).Select(each => new Commit(each.Key, [.. each])).ToList();
            dispatcher.Step(table => Done(() => table.Fetched(fetch.Id, commits, reply.Reached, NowMs)));
        }
        catch (WatchException error) when (error.Code == WatchErrorCode.Compacted)
        {
            dispatcher.Step(table => Done(() => table.FetchCompacted(fetch.Id, error.FirstAvailable, NowMs)));
        }
        catch (Exception error)
        {
            LogQuestionFailed(logger, error, fetch.Scope);
            dispatcher.Step(table => Done(() => table.FetchFailed(fetch.Id, NowMs)));
        }
    }

    private async Task RegisterAllAsync()
    {
        _registering = true;
        try
        {
            while (_registrations.Count > 0)
            {
                var first = _registrations[0];
                var run = _registrations
                    .TakeWhile(each => each.GetType() == first.GetType() && each.Bucket == first.Bucket)
                    .Take(ScopesPerCallMax)
                    .ToList();
                _registrations.RemoveRange(0, run.Count);
                if (first is WatchEffect.UnregisterScope)
                    await UnregisterAsync(first.Bucket, run);
                else
                    await RegisterAsync(first.Bucket, [.. run.Cast<WatchEffect.RegisterScope>()]);
            }
        }
        finally
        {
            _registering = false;
        }
    }

    private async Task RegisterAsync(BucketId bucket, List<WatchEffect.RegisterScope> run)
    {
        try
        {
            var reply = await leaders.ReadAsync(bucket, leader => leader.Register(bucket, silo, [.. run.Select(each => each.Scope)]));
            for (var at = 0; at < run.Count; at++)
                dispatcher.Registered(run[at].Subscription, reply, reply.Heads[at]);
        }
        catch (Exception error)
        {
            LogRegistrationFailed(logger, error, run[0].Scope, run.Count);
            var told = error as WatchException ?? new WatchException(WatchErrorCode.Unavailable, $"The watch could not be registered: {error.Message}");
            foreach (var each in run)
                dispatcher.RegisterFailed(each.Subscription, told);
        }
    }

    private async Task UnregisterAsync(BucketId bucket, List<WatchEffect> run)
    {
        try
        {
            await leaders.ReadAsync(bucket, leader => leader.Unregister(bucket, silo, [.. run.Select(each => each.Scope)]));
        }
        catch (Exception error)
        {
            // The leader goes on naming this silo; the next progress shows it, and the table withdraws the scopes again.
            LogQuestionFailed(logger, error, run[0].Scope);
        }
    }

    /// <summary>This silo stops: the leaders need not tell it anything any more. One that is not reached learns it from membership.</summary>
    private async Task ForgetAsync(IReadOnlyList<BucketId> buckets)
    {
        foreach (var bucket in buckets)
        {
            try
            {
                await leaders.ReadAsync(bucket, leader => leader.Forget(bucket, silo));
            }
            catch (Exception error)
            {
                LogQuestionFailed(logger, error, Scope.Bucket);
            }
        }
    }

    private void StartProgress()
    {
        _progressDue = false;
        if (!_asking)
            _ = AskAllAsync();
    }

    private async Task AskAllAsync()
    {
        _asking = true;
        try
        {
            foreach (var bucket in dispatcher.Step(table => table.Buckets.ToList()))
                await AskAsync(bucket);
        }
        finally
        {
            _asking = false;
        }
    }

    private async Task AskAsync(BucketId bucket)
    {
        try
        {
            var reply = await leaders.ReadAsync(bucket, leader => leader.Progress(bucket, silo));
            var heads = reply.Heads.Select(each => new ScopeHead(each.Scope, each.Head)).ToList();
            dispatcher.Step(table => Done(() => table.Progress(bucket, reply.Revision, heads, NowMs)));
        }
        catch (Exception error)
        {
            // The next question comes in a moment.
            LogQuestionFailed(logger, error, Scope.Bucket);
        }
    }

    private static bool Done(Action action)
    {
        action();
        return true;
    }

    [LoggerMessage(Level = LogLevel.Critical, Message = "This silo's watching failed: the silo stops, and its watches go on elsewhere")]
    private static partial void LogFailed(ILogger logger, Exception error);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Count} watches, the first of {Scope}, could not be registered with the leader")]
    private static partial void LogRegistrationFailed(ILogger logger, Exception error, Scope scope, int count);

    [LoggerMessage(Level = LogLevel.Debug, Message = "A question to the leader about {Scope} failed; it is asked again")]
    private static partial void LogQuestionFailed(ILogger logger, Exception error, Scope scope);
}
