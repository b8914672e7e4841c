using Watch.Core;
using Watch.Core.Watching;

namespace Watch.Core.Tests.Watching;

/// <summary>Those who read history together, and want different things of it.</summary>
public class TogetherTests
{
    [Fact]
    public void One_that_is_given_other_targets_meanwhile_gets_those_of_the_answer_and_the_others_theirs()
    {
        var (desk, watches, fetch) = Together(["/a/1, /a/2", "/a/1, /a/2"]);
        Assert.Equal(Revision.None, desk.Table.Retarget(watches[0].Id, Desk.Target("/a/2, /a/3"), 1, desk.NowMs));
        desk.Answer(fetch);
        desk.Answer();
        Assert.Equal(["targets 1 from @0", "put /a/2 b @3", "put /a/3 c @4"], Desk.Read(watches[0]));
        Assert.Equal(["put /a/1 a @2", "put /a/2 b @3", "put /a/1 d @5"], Desk.Read(watches[1]));
        Assert.All(watches, watch => Assert.Equal(SubscriptionState.Live, watch.State));
    }

    [Fact]
    public void One_that_is_moved_to_another_scope_meanwhile_reads_that_one_and_the_others_go_on()
    {
        var (desk, watches, fetch) = Together(["/a/1, /a/2", "/a/1, /a/2"]);
        Assert.Equal(Revision.None, desk.Table.Retarget(watches[0].Id, Desk.Target("/elsewhere"), 1, desk.NowMs));
        desk.Answer(fetch);
        desk.Answer();
        Assert.Equal(["targets 1 from @0", "put /elsewhere x @1"], Desk.Read(watches[0]));
        Assert.Equal(["put /a/1 a @2", "put /a/2 b @3", "put /a/1 d @5"], Desk.Read(watches[1]));
        Assert.Equal(0, desk.Table.UnderWay);
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(false, false)]
    public void What_one_of_them_needs_of_the_values_before_is_asked_for_and_shown_to_nobody_else(bool first, bool second)
    {
        var (desk, watches, fetch) = Together(["prefix /a/", "prefix /a/"], first, second);
        Assert.Equal(first || second, fetch.PreviousValues);
        desk.Answer(fetch);
        desk.Answer();
        foreach (var (watch, shows) in watches.Zip([first, second]))
        {
            Assert.True(watch.TryTake(100, long.MaxValue, out var items));
            var last = ((WatchPart.Events)items.Parts[^1]).Commit;
            Assert.Equal(new Revision(5), last.Revision);
            Assert.Equal(shows ? "a" : "", System.Text.Encoding.UTF8.GetString(last.Form.PreviousOf(last.Changes[0]).Value.Span));
        }
    }

    /// <summary>Watches from the first revision on that stand in line until another one's question is answered; and their question.</summary>
    private static (Desk Desk, Subscription[] Watches, WatchEffect.Fetch Fetch) Together(string[] targets, params bool[] previous)
    {
        var desk = new Desk(new WatchTableOptions { FetchesInFlightMax = 1 });
        desk.Put("/elsewhere", "x");
        desk.Put("/a/1", "a");
        desk.Put("/a/2", "b");
        desk.Put("/a/3", "c");
        desk.Put("/a/1", "d");
        desk.Begin("/elsewhere", startAt: 1);
        Subscription[] watches = [.. targets.Select((target, at) => desk.Begin(target, startAt: 1, previous: previous.ElementAtOrDefault(at)))];
        foreach (var effect in desk.TakeEffects())
            desk.Answer(effect);
        desk.Answer(Assert.Single(desk.TakeEffects()));
        return (desk, watches, Assert.IsType<WatchEffect.Fetch>(Assert.Single(desk.TakeEffects())));
    }
}
