using Watch.Core;

namespace Watch.Cluster.Tests;

/// <summary>
/// F1 to F3: a watch that wants to know when it may be stale is told so by the reader's own clock where its server says nothing, or where there
/// is none. By a clock that the test moves.
/// </summary>
public sealed class StaleTests
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(10);

    private readonly ManualTime _time = new();
    private ScriptedClient _client;
    private readonly List<WatchEvent> _pushed = [];

    public StaleTests() => _client = new ScriptedClient(_time);

    [Theory, BothOrigins]
    public Task A_watch_is_told_that_it_is_stale_once_while_its_server_is_silent_and_what_comes_ends_that(Origin origin) => TwoNodes.InTurnsAsync(async () =>
    {
        _client = new ScriptedClient(_time, isOutside: origin == Origin.Remote);
        await using var stream = await StartAsync();
        var events = stream.Record();
        await _time.PassAsync(s_limit * 0.9);
        Assert.Empty(events);
        await _time.PassAsync(s_limit * 0.1);
        var stale = Assert.Single(events);
        Assert.Equal((WatchEventType.Stale, new Revision(0)), (stale.Type, stale.Revision));
        Assert.InRange(stale.Count, s_limit.TotalMilliseconds, s_limit.TotalMilliseconds + 200);
        await _time.PassAsync(s_limit * 5);
        Assert.Single(events);

        _client.Feeds[0].Put("/k", 5);
        _client.Feeds[0].Progress(7);
        await TwoNodes.PassAsync();
        Assert.Equal([WatchEventType.Stale, WatchEventType.Put, WatchEventType.Progress], events.Select(each => each.Type));
        await _time.PassAsync(s_limit * 0.9);
        Assert.Equal(3, events.Count);
        await _time.PassAsync(s_limit * 0.2);
        Assert.Equal((WatchEventType.Stale, new Revision(7)), (events[^1].Type, events[^1].Revision));
    });

    [Fact]
    public Task A_watch_that_is_told_in_time_how_far_it_is_is_never_told_that_it_is_stale() => TwoNodes.InTurnsAsync(async () =>
    {
        await using var stream = await StartAsync();
        var events = stream.Record();
        for (var at = 1; at <= 20; at++)
        {
            await _time.PassAsync(s_limit * 0.4);
            _client.Feeds[0].Progress(at);
        }

        await TwoNodes.PassAsync();
        Assert.Equal(20, events.Count);
        Assert.All(events, each => Assert.Equal(WatchEventType.Progress, each.Type));
    });

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public Task A_watch_whose_way_is_lost_is_told_while_it_looks_for_another_and_goes_on_without_a_gap(bool isPushed) => TwoNodes.InTurnsAsync(async () =>
    {
        await using var watch = isPushed ? await SubscribeAsync() : (IWatchSubscription)await StartAsync();
        var events = isPushed ? _pushed : ((IWatchStream)watch).Record();
        _client.Feeds[0].Put("/k", 3);
        await TwoNodes.PassAsync();
        _client.OnOpen = _ => throw new WatchException(WatchErrorCode.Unavailable, "Nobody is there.");
        _client.Feeds[0].Lose();
        await _time.PassAsync(s_limit * 3);
        Assert.True(_client.Requests.Count > 4, "nobody tried another server");
        Assert.Equal([WatchEventType.Put, WatchEventType.Stale], events.Select(each => each.Type));
        Assert.Equal(new Revision(3), events[1].Revision);

        _client.OnOpen = request => Task.FromResult(new ScriptedFeed(request.StartAt!.Value.Previous));
        await _time.PassAsync(TimeSpan.FromMinutes(1));
        Assert.Equal((2, new Revision(4)), (_client.Feeds.Count, _client.Requests[^1].StartAt));
        _client.Feeds[1].Put("/k", 4);
        await TwoNodes.PassAsync();
        Assert.Equal((3, WatchEventType.Put, new Revision(4)), (events.Count, events[^1].Type, events[^1].Revision));
        await _time.PassAsync(s_limit * 1.1);
        Assert.Equal(WatchEventType.Stale, events[^1].Type);
    });

    [Fact]
    public Task A_reader_that_leaves_while_its_watch_is_being_opened_elsewhere_leaves_nothing_with_the_server() => TwoNodes.InTurnsAsync(async () =>
    {
        await using var stream = await StartAsync();
        var events = stream.Record();
        var answer = new TaskCompletionSource<ScriptedFeed>();
        _client.OnOpen = _ => answer.Task;
        _client.Feeds[0].Lose();
        await _time.PassAsync(s_limit * 0.9);
        Assert.Equal(2, _client.Requests.Count);
        await _time.PassAsync(s_limit * 0.2);
        Assert.Single(events);
        var late = new ScriptedFeed(default);
        answer.SetResult(late);
        await stream.DisposeAsync();
        await TwoNodes.PassAsync();
        Assert.True(late.IsDisposed, "a registration stays with the server though its reader left");
        Assert.Equal(WatchEndReason.Disposed, await stream.Completion);
    });

    [Fact]
    public Task The_servers_own_word_counts_and_is_not_said_again() => TwoNodes.InTurnsAsync(async () =>
    {
        await using var stream = await StartAsync();
        var events = stream.Record();
        _client.Feeds[0].Send(0, new WatchEvent { Type = WatchEventType.Stale, Count = 10_000 });
        await _time.PassAsync(s_limit * 3);
        Assert.Single(events);
        _client.Feeds[0].Progress(2);
        await _time.PassAsync(s_limit * 1.1);
        Assert.Equal([WatchEventType.Stale, WatchEventType.Progress, WatchEventType.Stale], events.Select(each => each.Type));
    });

    [Fact]
    public Task The_server_is_asked_to_say_often_enough_how_far_such_a_watch_is() => TwoNodes.InTurnsAsync(async () =>
    {
        TimeSpan? Asked(double? progress, double? stale) => Client.SilenceClock.IntervalFor(Seconds(progress), Seconds(stale));
        Assert.Equal((null, Seconds(3)), (Asked(null, null), Asked(3, null)));
        Assert.Equal((Seconds(5), Seconds(5), Seconds(2)), (Asked(null, 15), Asked(60, 15), Asked(2, 15)));
        // What makes no sense is for the server to refuse, by its own name.
        Assert.Equal((Seconds(0.01), Seconds(7_200)), (Asked(0.01, 15), Asked(7_200, 15)));
        Assert.Equal((Seconds(0.1), Seconds(0.1), Seconds(3_600)), (Asked(null, 0.001), Asked(null, -5), Asked(null, 90_000)));
        await using var stream = await StartAsync();
        Assert.Equal(s_limit / 3, _client.Requests[0].ProgressInterval);
    });

    [Fact]
    public Task A_watch_that_did_not_ask_is_told_nothing() => TwoNodes.InTurnsAsync(async () =>
    {
        await using var stream = await _client.WatchAsync(WatchTarget.Key("/k"));
        var events = stream.Record();
        await _time.PassAsync(s_limit * 10);
        Assert.Empty(events);
    });

    private static TimeSpan? Seconds(double? seconds) => seconds is { } some ? TimeSpan.FromSeconds(some) : null;

    private Task<IWatchStream> StartAsync() => _client.WatchAsync(WatchTarget.Key("/k"), new WatchOptions { StaleAfter = s_limit });

    private Task<IWatchSubscription> SubscribeAsync() => _client.SubscribeAsync(WatchTarget.Key("/k"), new Recorder(_pushed), new WatchOptions { StaleAfter = s_limit });

    private sealed class Recorder(List<WatchEvent> events) : IWatchObserver
    {
        public Task OnBatch(WatchBatch batch)
        {
            events.AddRange(batch.Events);
            return Task.CompletedTask;
        }
    }
}
