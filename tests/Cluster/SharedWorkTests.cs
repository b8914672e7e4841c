using Watch.Client;
using Watch.Core;

namespace Watch.Cluster.Tests;

/// <summary>What all watches of a client share goes on without the one who needed it first, whose thread may never come back.</summary>
public sealed class SharedWorkTests
{
    private readonly ManualTime _time = new(repeats: true);

    [Fact]
    public Task A_reader_whose_thread_never_comes_back_holds_nobody_up_who_was_lost_with_it() => TwoNodes.InTurnsAsync(async () =>
    {
        var server = new ScriptedServer();
        var client = server.NewClient(_time);
        var context = new BlockableContext();
        await using var first = await client.WatchAsync(WatchTarget.Key("/a"));
        await using var second = await client.WatchAsync(WatchTarget.Key("/b"));
        var blocked = context.Begin(() => RecordAsync(first));
        await TwoNodes.PassAsync();
        var isLost = false;
        server.Session.OnRenew = () =>
        {
            isLost = true;
            throw new TimeoutException("Its silo is gone.");
        };
        for (var step = 0; step < 200 && !isLost; step++)
            await PassAsync();
        Assert.True(isLost, "the session was not lost");

        // The pause has begun, for the first one and in its context.
        context.IsBlocked = true;
        var reading = RecordAsync(second);
        for (var step = 0; step < 20; step++)
            await PassAsync();

        Assert.Equal(2, server.Sessions.Count);
        Assert.Equal(second.Target, Assert.Single(Assert.Single(server.Session.Registers)).Target);
        await client.DisposeAsync();
        Assert.Equal(WatchEndReason.Disposed, Assert.Single(await reading).Reason);
        Assert.False(blocked.IsCompleted, "the first reader went on although its context is blocked: nothing was shown");
    });

    [Fact]
    public Task Who_asks_first_which_servers_live_and_never_comes_back_keeps_nobody_from_knowing() => TwoNodes.InTurnsAsync(async () =>
    {
        var options = new WatchClientOptions();
        var context = new BlockableContext();
        var doors = new Doors(_ => new TaskCompletionSource().Task, options, _time, new SystemWatchRandom());
        var feeling = context.Begin(doors.FeelAsync);
        context.IsBlocked = true;
        await TwoNodes.PassAsync();
        _time.Advance(options.SilencePatience);
        _time.Fire();
        await TwoNodes.PassAsync();

        Assert.True(feeling.IsCompletedSuccessfully, "it is still waited for the doors' answers");
        Assert.Null(doors.Answering());
    });

    private static async Task<List<WatchEvent>> RecordAsync(IWatchStream stream)
    {
        var events = new List<WatchEvent>();
        await foreach (var each in stream)
            events.Add(each);
        return events;
    }

    private async Task PassAsync()
    {
        _time.Advance(TimeSpan.FromMilliseconds(250));
        _time.Fire();
        await TwoNodes.PassAsync();
    }
}
