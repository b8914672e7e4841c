using Watch.Core;
using Watch.Interfaces;

namespace Watch.Cluster.Tests;

/// <summary>The messages of a session, without the client library: what is repeated, what is lost, and what is somebody else's.</summary>
public sealed class SessionTests(SharedCluster shared) : IClassFixture<SharedCluster>
{
    private readonly WatchCluster _cluster = shared.Cluster;
    private readonly string _root = SharedCluster.NewRoot("session");

    [Fact]
    public async Task A_batch_whose_answer_was_lost_comes_again_unchanged_and_nothing_comes_before_it_is_answered()
    {
        await using var session = await RawSession.OpenAsync(_cluster.Host.Client);
        var refusals = 3;
        session.AnswerWith(batch => batch.Number == 1 && Interlocked.Decrement(ref refusals) >= 0
            ? Task.FromException<SessionAck>(new TimeoutException("The answer was lost."))
            : Task.FromResult(new SessionAck(batch.Number, [])));
        await session.RegisterAsync(session.Request(1, WatchTarget.Key(_root + "k")));

        await PutAsync("k", "1");
        await PutAsync("k", "2");
        var events = await session.EventsOfAsync(1, 2);

        Assert.Equal(["1", "2"], events.Select(each => each.Value.Text()));
        Assert.Equal([1L, 1L, 1L, 1L, 2L], session.Batches.Take(5).Select(each => each.Number));
        var first = session.Batches[0];
        Assert.All(session.Batches.Take(4), again => Assert.Equal(first.Blocks.Select(Bytes), again.Blocks.Select(Bytes)));
        Assert.All(session.Batches.Take(4), again => Assert.Equal(first.Steps.Select(each => (each.Watch, each.Number, each.Revision)), again.Steps.Select(each => (each.Watch, each.Number, each.Revision))));
    }

    [Fact]
    public async Task The_steps_of_a_watch_are_numbered_from_one_and_each_continues_where_the_last_one_ended()
    {
        await using var session = await RawSession.OpenAsync(_cluster.Host.Client);
        var start = Assert.Single(await session.RegisterAsync(session.Request(7, WatchTarget.Prefix(_root)))).Registration!.Start;
        for (var at = 0; at < 20; at++)
            await PutAsync($"k{at % 3}", $"{at}");
        await session.EventsOfAsync(7, 20);

        var steps = session.StepsOf(7).Select(each => each.Step).ToList();
        Assert.Equal(Enumerable.Range(1, steps.Count).Select(at => (long)at), steps.Select(each => each.Number));
        Assert.Equal([start, .. steps.SkipLast(1).Select(each => each.Revision)], steps.Select(each => each.Previous));
    }

    [Fact]
    public async Task What_a_reader_granted_is_a_total_so_that_a_grant_said_twice_or_late_lets_nothing_more_through()
    {
        await using var session = await RawSession.OpenAsync(_cluster.Host.Client);
        await session.RegisterAsync(session.Request(1, WatchTarget.Key(_root + "k"), credit: 2), session.Request(2, WatchTarget.Key(_root + "end")));
        for (var at = 1; at <= 6; at++)
            await PutAsync("k", $"{at}");
        await session.EventsOfAsync(1, 2);

        await session.RenewAsync(new Credit(1, 4, 1 << 20));
        await session.EventsOfAsync(1, 4);
        await session.RenewAsync(new Credit(1, 4, 1 << 20));
        await session.RenewAsync(new Credit(1, 3, 1 << 20));
        // What would have come stands before this.
        await PutAsync("end", "1");
        await session.EventsOfAsync(2, 1);
        Assert.Equal(["1", "2", "3", "4"], session.EventsOf(1).Select(each => each.Value.Text()));

        await session.RenewAsync(new Credit(1, 6, 1 << 20));
        Assert.Equal(["1", "2", "3", "4", "5", "6"], (await session.EventsOfAsync(1, 6)).Select(each => each.Value.Text()));
    }

    [Fact]
    public async Task Who_names_another_epoch_is_not_known_and_ends_nothing()
    {
        await using var session = await RawSession.OpenAsync(_cluster.Host.Client);
        await session.RegisterAsync(session.Request(1, WatchTarget.Key(_root + "k")));
        var foreign = session.Epoch ^ 1;

        var refused = await Assert.ThrowsAsync<WatchException>(() => session.Grain.Register(foreign, [session.Request(2, WatchTarget.Key(_root + "k"))], CancellationToken.None));
        Assert.Equal(WatchErrorCode.Unavailable, refused.Code);
        Assert.Equal(WatchErrorCode.Unavailable, (await Assert.ThrowsAsync<WatchException>(() => session.Grain.Feel(foreign))).Code);
        await session.Grain.Feel(session.Epoch);
        await session.Grain.Feel(0);
        Assert.False((await session.Grain.Renew(new SessionRenewal(foreign, [], WantsAll: true))).IsKnown);
        await session.Grain.End(foreign, [1]);
        await session.Grain.Close(foreign);

        Assert.Equal(1, Assert.Single((await session.RenewAsync()).All));
        await PutAsync("k", "1");
        Assert.Equal("1", Assert.Single(await session.EventsOfAsync(1, 1)).Value.Text());
    }

    [Fact]
    public async Task A_registration_that_is_repeated_is_answered_as_before_and_what_is_refused_concerns_one_watch()
    {
        await using var session = await RawSession.OpenAsync(_cluster.Host.Client);
        var good = session.Request(1, WatchTarget.Key(_root + "k"));

        var replies = await session.RegisterAsync(good, session.Request(2, WatchTarget.Prefix("no/slash/at/the/end")));
        var again = await session.RegisterAsync(good);

        Assert.Equal((true, WatchErrorCode.InvalidPrefix), (replies[0].Registration is not null, replies[1].Code));
        Assert.Equal(replies[0].Registration, again[0].Registration);
        Assert.Equal(1, Assert.Single((await session.RenewAsync()).All));
    }

    private static string Bytes(EventBlock block) => Convert.ToHexString(block.Bytes.Span);

    private Task<WriteResult> PutAsync(string key, string value) => _cluster.Client.PutAsync(_root + key, value);
}
