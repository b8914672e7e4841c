using Watch.Client;
using Watch.Core;

namespace Watch.Simulation.Tests;

/// <summary>What a client does with a write that is not answered, and which ids it gives.</summary>
public sealed class RepeatedWriteTests
{
    private readonly HurriedTime _time = new();
    private readonly List<(WriteId Id, TimeSpan Limit)> _sendings = [];

    [Fact]
    public void Numbers_grow_and_the_oldest_open_one_moves_over_those_that_ended()
    {
        var numbers = new WriteNumbers(new ClientId(1), _time);
        numbers.Saw(new LogIndex(5));
        var ids = Enumerable.Range(0, 4).Select(_ => Begin(numbers)).ToList();
        Assert.Equal([(1, 1), (2, 1), (3, 1), (4, 1)], ids.Select(id => (id.Number, id.OldestOpen)));
        Assert.All(ids, id => Assert.Equal(5, id.Seen.Value));

        numbers.End(ids[2]);
        numbers.End(ids[1]);
        Assert.Equal(1, Begin(numbers).OldestOpen);
        numbers.End(ids[0]);
        Assert.Equal(4, Begin(numbers).OldestOpen);
    }

    [Fact]
    public void An_index_that_is_old_or_was_refused_is_given_to_no_new_write()
    {
        var numbers = new WriteNumbers(new ClientId(1), _time);
        Assert.False(numbers.TryBegin(out _));
        numbers.Saw(new LogIndex(5));
        _time.Pass(WriteNumbers.FreshFor);
        Assert.False(numbers.TryBegin(out _));
        numbers.Saw(new LogIndex(5));
        Assert.Equal(1, Begin(numbers).Number);
        numbers.Saw(new WriteResult(WriteStatus.Unknown, default, null) { Index = new LogIndex(9) });
        Assert.False(numbers.TryBegin(out _));
        numbers.Saw(new LogIndex(3));
        Assert.Equal(3, Begin(numbers).Seen.Value);
        numbers.Saw(new WriteResult(WriteStatus.TooOld, default, null) { Index = new LogIndex(9) });
        Assert.False(numbers.TryBegin(out _));
    }

    [Fact]
    public async Task A_write_is_sent_again_with_the_same_id_until_it_is_answered()
    {
        var result = await RunAsync(WatchErrorCode.NoQuorum, WatchErrorCode.OutcomeUnknown, WatchErrorCode.Busy, WatchErrorCode.Unavailable, null);
        Assert.True(result.Succeeded);
        Assert.Equal(5, _sendings.Count);
        Assert.Single(_sendings.Select(each => each.Id).Distinct());
    }

    [Theory]
    [InlineData(WatchErrorCode.Busy, 1, WatchErrorCode.Busy)]
    [InlineData(WatchErrorCode.ValueTooLarge, 1, WatchErrorCode.ValueTooLarge)]
    [InlineData(WatchErrorCode.OutcomeUnknown, 2, WatchErrorCode.OutcomeUnknown, WatchErrorCode.UnknownBucket)]
    [InlineData(WatchErrorCode.OutcomeUnknown, 2, WatchErrorCode.OutcomeUnknown, WatchErrorCode.ShuttingDown)]
    public async Task Once_a_sending_may_have_arrived_no_later_refusal_makes_the_outcome_known(WatchErrorCode told, int sendings, params WatchErrorCode[] met)
    {
        var error = await Assert.ThrowsAsync<WatchException>(() => RunAsync([.. met.Select(code => (WatchErrorCode?)code)]));
        Assert.Equal((told, sendings), (error.Code, _sendings.Count));
    }

    [Theory]
    [InlineData(WatchErrorCode.NoQuorum, WatchErrorCode.NoQuorum)]
    [InlineData(WatchErrorCode.OutcomeUnknown, WatchErrorCode.OutcomeUnknown)]
    public async Task After_its_time_a_write_fails_with_what_is_true_of_all_its_sendings(WatchErrorCode met, WatchErrorCode told)
    {
        var options = new WatchClientOptions();
        var error = await Assert.ThrowsAsync<WatchException>(() => RunAsync([.. Enumerable.Repeat((WatchErrorCode?)met, 1000)]));
        Assert.Equal(told, error.Code);
        Assert.InRange(_time.Passed, options.WriteTimeout, options.WriteTimeout + options.WriteBackoffMax);
        Assert.All(_sendings, each => Assert.InRange(each.Limit, options.WriteBackoffFirst, options.CallTimeout));
    }

    [Fact]
    public async Task A_first_sending_that_comes_too_late_is_sent_with_a_fresh_id_until_that_is_in_time()
    {
        var result = await RenumberingAsync(WriteStatus.TooOld, WriteStatus.TooOld, WriteStatus.Applied);
        Assert.Equal((WriteStatus.Applied, 3), (result.Status, _sendings.Select(each => each.Id.Number).Distinct().Count()));
    }

    [Fact]
    public async Task Refused_sendings_do_not_keep_a_write_from_a_fresh_id_and_one_that_may_have_arrived_does()
    {
        Assert.Equal(WriteStatus.Applied, (await RenumberingAsync(WatchErrorCode.NoQuorum, WriteStatus.TooOld, WriteStatus.Applied)).Status);
        Assert.Equal([1, 1, 2], _sendings.Select(each => each.Id.Number));
        _sendings.Clear();
        Assert.Equal(WriteStatus.TooOld, (await RenumberingAsync(WatchErrorCode.OutcomeUnknown, WriteStatus.TooOld, WriteStatus.Applied)).Status);
        Assert.Equal([1, 1], _sendings.Select(each => each.Id.Number));
        _sendings.Clear();
        Assert.Equal(WriteStatus.Unknown, (await RenumberingAsync(WriteStatus.Unknown, WriteStatus.Applied)).Status);
    }

    [Fact]
    public async Task A_write_whose_every_id_comes_too_late_ends_as_certainly_not_done()
    {
        var error = await Assert.ThrowsAsync<WatchException>(() => RenumberingAsync([.. Enumerable.Repeat<object>(WriteStatus.TooOld, 1000)]));
        Assert.Equal(WatchErrorCode.Busy, error.Code);
    }

    [Fact]
    public async Task Of_sendings_at_once_each_counts_until_its_own_answer_says_that_it_did_nothing()
    {
        var sendings = new Sendings();
        var (first, second) = (new TaskCompletionSource<WriteResult>(), new TaskCompletionSource<WriteResult>());
        var both = new[] { sendings.CountAsync(() => first.Task), sendings.CountAsync(() => second.Task) };
        second.SetResult(new WriteResult(WriteStatus.TooOld, default, null));
        Assert.Equal(WriteStatus.TooOld, (await both[1]).Status);
        Assert.False(sendings.NoneMayHaveArrived);
        first.SetException(new WatchException(WatchErrorCode.Busy, "full"));
        await Assert.ThrowsAsync<WatchException>(() => both[0]);
        Assert.True(sendings.NoneMayHaveArrived);
    }

    /// <summary>A write that meets errors and statuses, and takes a fresh number where no sending may have arrived.</summary>
    private async Task<WriteResult> RenumberingAsync(params object[] meets)
    {
        var sendings = new Sendings();
        var number = 1L;
        return await new RepeatedWrite(new WatchClientOptions(), _time, new SystemWatchRandom(), serverMayReturn: false).RunAsync(
            _ => Task.FromResult(new WriteId(new ClientId(1), number, new LogIndex(1), 1)),
            (id, limit) => sendings.CountAsync(() =>
            {
                _sendings.Add((id, limit));
                return meets[_sendings.Count - 1] is WatchErrorCode code
                    ? Task.FromException<WriteResult>(new WatchException(code, $"met {code}"))
                    : Task.FromResult(new WriteResult((WriteStatus)meets[_sendings.Count - 1], new Revision(1), null));
            }),
            _ => sendings.NoneMayHaveArrived && number++ > 0,
            CancellationToken.None);
    }

    private async Task<WriteResult> RunAsync(params WatchErrorCode?[] meets)
    {
        var write = new RepeatedWrite(new WatchClientOptions(), _time, new SystemWatchRandom(), serverMayReturn: false);
        return await write.RunAsync(
            _ => Task.FromResult(WriteId.Single(new ClientId(1), new LogIndex(1))),
            (id, limit) =>
            {
                _sendings.Add((id, limit));
                return meets[_sendings.Count - 1] is { } code
                    ? Task.FromException<WriteResult>(new WatchException(code, $"met {code}"))
                    : Task.FromResult(new WriteResult(WriteStatus.Applied, new Revision(1), null));
            },
            _ => false,
            CancellationToken.None);
    }

    private static WriteId Begin(WriteNumbers numbers)
    {
        Assert.True(numbers.TryBegin(out var id));
        return id;
    }

    /// <summary>Time in which every pause is over at once, and has passed.</summary>
    private sealed class HurriedTime : TimeProvider
    {
        public TimeSpan Passed { get; private set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public void Pass(TimeSpan span) => Passed += span;

        public override long GetTimestamp() => Passed.Ticks;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            if (dueTime > TimeSpan.Zero)
                Passed += dueTime;
            return System.CreateTimer(callback, state, TimeSpan.Zero, Timeout.InfiniteTimeSpan);
        }
    }
}
