using Watch.Client;
using Watch.Core;
using Watch.Interfaces;

namespace Watch.Cluster.Tests;

/// <summary>The client's side of a session, against a server that does what a test says, by a clock that the test moves.</summary>
public sealed class ClientSessionTests
{
    private readonly ManualTime _time = new(repeats: true);
    private readonly ScriptedServer _server = new();
    private readonly RemoteWatchClient _client;

    public ClientSessionTests() => _client = _server.NewClient(_time);

    [Fact]
    public Task A_thousand_watches_are_registered_by_one_call_and_so_they_come_back() => TwoNodes.InTurnsAsync(async () =>
    {
        var streams = await WatchAsync(1_000);
        Assert.Equal(1_000, Assert.Single(_server.Session.Registers).Length);
        var readers = streams.Select(RecordAsync).ToList();
        await TwoNodes.PassAsync();
        var lost = _server.Session;
        lost.OnRenew = () => throw new TimeoutException("Its silo is gone.");
        await _time.PassAsync(TimeSpan.FromSeconds(5));

        Assert.Equal(2, _server.Sessions.Count);
        Assert.NotSame(lost, _server.Session);
        Assert.Equal(1_000, Assert.Single(_server.Session.Registers).Length);
        Assert.All(_server.Session.Registers[0], each => Assert.Equal(new Revision(1), each.StartAt));
        await EndAsync(streams, readers);
    });

    [Fact]
    public Task More_watches_than_one_call_takes_are_registered_by_as_few_as_can_be() => TwoNodes.InTurnsAsync(async () =>
    {
        var streams = await WatchAsync(2_500);
        Assert.Equal([1_024, 1_024, 452], _server.Session.Registers.Select(each => each.Length));
        await EndAsync(streams, []);
    });

    [Fact]
    public Task What_the_server_does_not_have_comes_back_alone_and_what_it_has_in_vain_is_ended() => TwoNodes.InTurnsAsync(async () =>
    {
        var streams = await WatchAsync(3);
        var readers = streams.Select(RecordAsync).ToList();
        await TwoNodes.PassAsync();
        var session = _server.Session;
        var gone = session.Watches.Min;
        session.Watches.Remove(gone);
        session.Watches.Add(999);
        await _time.PassAsync(TimeSpan.FromSeconds(8));

        Assert.Single(_server.Sessions);
        Assert.Equal([999], session.Ended);
        var again = Assert.Single(Assert.Single(session.Registers.Skip(1)));
        Assert.Equal(3, session.Watches.Count);
        Assert.DoesNotContain(gone, session.Watches);
        Assert.Contains(again.Watch, session.Watches);
        await EndAsync(streams, readers);
    });

    [Fact]
    public Task A_renewal_that_fails_in_whatever_way_loses_the_session_and_no_watch() => TwoNodes.InTurnsAsync(async () =>
    {
        var streams = await WatchAsync(2);
        var readers = streams.Select(RecordAsync).ToList();
        await TwoNodes.PassAsync();
        _server.Session.OnRenew = () => throw new ArgumentException("Nobody expects this.");
        await _time.PassAsync(TimeSpan.FromSeconds(5));
        Assert.Equal((2, 2), (_server.Sessions.Count, Assert.Single(_server.Session.Registers).Length));
        await EndAsync(streams, readers);
    });

    [Fact]
    public Task Of_how_far_a_watch_is_only_the_last_word_waits_for_a_reader_that_takes_nothing() => TwoNodes.InTurnsAsync(async () =>
    {
        var stream = Assert.Single(await WatchAsync(1));
        var number = Assert.Single(_server.Session.Watches);
        for (var at = 1; at <= 100; at++)
            await _server.Session.SendAsync(new WatchStep(number, at, new Revision(at - 1), new Revision(at), [new StepPart(StepKind.Progress, -1, at, at)]));
        await using var batches = stream.ReadBatchesAsync().GetAsyncEnumerator();
        Assert.True(await batches.MoveNextAsync());
        Assert.Equal((new Revision(0), new Revision(100)), (batches.Current.Previous, batches.Current.Revision));
        Assert.Equal(100, Assert.Single(batches.Current.Events).ConfirmedTimeMs);
        var more = batches.MoveNextAsync();
        Assert.False(more.IsCompleted, "older words waited, too");
        await _client.DisposeAsync();
        Assert.True(await more);
    });

    [Fact]
    public Task A_queue_that_is_made_larger_lets_more_come_ahead_of_the_reader() => TwoNodes.InTurnsAsync(async () =>
    {
        var stream = await OpenAsync(_client.WatchAsync(WatchTarget.Key("/k"), new WatchOptions { QueueEventsMax = 10 }));
        var number = Assert.Single(_server.Session.Watches);
        var reading = RecordAsync(stream);
        await _time.PassAsync(TimeSpan.FromSeconds(1));
        Assert.Equal(1, _server.Session.Credits[number].Events);
        await OpenAsync(ChangeAsync());
        await _time.PassAsync(TimeSpan.FromSeconds(1));
        Assert.Equal(500, _server.Session.Credits[number].Events);
        await EndAsync([stream], [reading]);

        async Task<bool> ChangeAsync()
        {
            await stream.ChangePolicyAsync(SlowPolicy.Park, queueEventsMax: 500);
            return true;
        }
    });

    private async Task<List<IWatchStream>> WatchAsync(int count)
    {
        var opening = Enumerable.Range(0, count).Select(_ => _client.WatchAsync(WatchTarget.Key("/k"))).ToList();
        var streams = new List<IWatchStream>();
        foreach (var each in opening)
            streams.Add(await OpenAsync(each));
        return streams;
    }

    private static async Task<T> OpenAsync<T>(Task<T> task)
    {
        for (var turn = 0; turn < 100 && !task.IsCompleted; turn++)
            await TwoNodes.PassAsync();
        Assert.True(task.IsCompleted, "the call was not answered");
        return await task;
    }

    /// <summary>Ends the client; every reader is told.</summary>
    private async Task EndAsync(List<IWatchStream> streams, List<Task<List<WatchEvent>>> readers)
    {
        await _client.DisposeAsync();
        Assert.True(_server.Session.IsClosed);
        foreach (var reader in readers)
            Assert.Equal(WatchEndReason.Disposed, (await reader)[^1].Reason);
        foreach (var stream in streams)
            await stream.DisposeAsync();
    }

    private static async Task<List<WatchEvent>> RecordAsync(IWatchStream stream)
    {
        var events = new List<WatchEvent>();
        await foreach (var each in stream)
            events.Add(each);
        return events;
    }
}
