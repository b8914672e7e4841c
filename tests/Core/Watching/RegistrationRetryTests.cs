using Watch.Core;
using Watch.Core.Watching;

namespace Watch.Core.Tests.Watching;

/// <summary>Registrations that fail, or whose answers come when their subscription is elsewhere: no scope falls silent, nothing is kept.</summary>
public class RegistrationRetryTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_scope_whose_registration_again_fails_is_registered_until_the_leader_has_it(bool firstLeaves)
    {
        var desk = new Desk();
        Subscription[] watches = [desk.Watch("/a"), desk.Watch("/a")];
        desk.Progress();
        desk.Ledger.ChangeLeader();
        var again = Assert.Single(Reconcile(desk).OfType<WatchEffect.RegisterScope>());
        if (firstLeaves)
            desk.Table.Unsubscribe(watches[0].Id, EndReason.Disposed);
        desk.Table.RegisterFailed(again.Subscription, desk.NowMs);
        Assert.Empty(desk.TakeEffects());
        desk.Ledger.Commit(("/a", "unnamed"));

        desk.TickDue();
        desk.Answer();
        desk.TickDue();
        desk.Answer();
        Assert.Equal("put /a unnamed @1", Assert.Single(Desk.Read(watches[1])));
        desk.Put("/a", "named");
        Assert.Equal("put /a named @2", Assert.Single(Desk.Read(watches[1])));
        desk.Progress();
        Assert.True(watches[1].Feed.IsCovered);
        Assert.Empty(desk.TakeEffects());
    }

    [Fact]
    public void A_scope_that_the_leader_lacks_is_a_disagreement_even_where_both_count_the_same()
    {
        var desk = new Desk();
        desk.Watch("/a");
        desk.Progress();
        desk.Ledger.ChangeLeader();
        // The registration is lost without a word: neither has the scope, so both count the same.
        Assert.Single(Reconcile(desk));
        for (var round = 0; round < 3; round++)
        {
            var ask = desk.Table.BeginProgress(desk.Bucket, desk.NowMs);
            Assert.Equal(round == 2, ask.WantsAll);
            desk.Table.Progress(ask, desk.Ledger.Answer(ask), desk.NowMs);
        }

        desk.Answer();
        Assert.Equal([Desk.ScopeOf("/a")], desk.Ledger.Watched.ScopesOf(Ledger.Silo));
    }

    [Fact]
    public void A_registration_again_that_is_under_way_when_the_last_one_leaves_is_withdrawn_and_forgotten()
    {
        var desk = new Desk();
        var watch = desk.Watch("/a");
        desk.Progress();
        desk.Ledger.ChangeLeader();
        var again = Assert.Single(Reconcile(desk).OfType<WatchEffect.RegisterScope>());
        desk.Table.RegisterFailed(again.Subscription, desk.NowMs);
        desk.Table.Unsubscribe(watch.Id, EndReason.Disposed);
        Assert.Null(desk.Table.NextDeadlineMs);
        desk.Answer();
        Assert.Equal((0, 0), (desk.Table.Stats.Scopes, desk.Table.UnderWay));
        Assert.False(desk.Ledger.Watched.Any);
    }

    [Fact]
    public void The_second_answer_about_the_scope_that_a_watch_has_left_does_not_start_the_new_one()
    {
        var desk = new Desk();
        var first = desk.Watch("/a");
        desk.Progress();
        var watch = desk.Begin("/a");
        var own = Assert.Single(desk.TakeEffects().OfType<WatchEffect.RegisterScope>());
        desk.Table.Unsubscribe(first.Id, EndReason.Disposed);
        desk.Ledger.ChangeLeader();
        // The leader lacks the scope: it is registered again under whoever follows it, whose own registration is under way.
        var again = Assert.Single(Reconcile(desk).OfType<WatchEffect.RegisterScope>());

        desk.Answer(own);
        desk.Put("/b", "1");
        desk.Table.Retarget(watch.Id, Desk.Target("/b"), 1, desk.NowMs);
        desk.Answer(again);
        Assert.Equal(SubscriptionState.Registering, watch.State);
        desk.Answer();
        Assert.Equal(["targets 1 from @0", "put /b 1 @1"], Desk.Read(watch));
        Assert.Equal(0, desk.Table.UnderWay);
    }

    [Fact]
    public void A_registration_that_fails_leaves_nothing_behind_when_its_watch_has_ended()
    {
        var desk = new Desk();
        for (var i = 0; i < 10; i++)
        {
            var watch = desk.Begin($"/{i}");
            desk.Table.Retarget(watch.Id, Desk.Target("/other"), 1, desk.NowMs);
            desk.Table.Unsubscribe(watch.Id, EndReason.Disposed);
            foreach (var effect in desk.TakeEffects())
                if (effect is WatchEffect.RegisterScope register)
                    desk.Table.RegisterFailed(register.Subscription, desk.NowMs);
                else
                    desk.Answer(effect);
        }

        Assert.Equal((0, 0), (desk.Table.Stats.Scopes, desk.Table.UnderWay));
        Assert.Null(desk.Table.NextDeadlineMs);
    }

    [Fact]
    public void The_answers_of_a_deleted_bucket_bring_nothing_of_it_back()
    {
        var desk = new Desk();
        desk.Begin("/a");
        desk.Table.BucketDeleted(desk.Bucket);
        Assert.Equal(0, desk.Table.UnderWay);
        desk.Answer();
        Assert.Equal((0, 0UL), (desk.Table.BeginProgress(desk.Bucket, desk.NowMs).Scopes, desk.Table.BeginProgress(desk.Bucket, desk.NowMs).ScopesHash));
    }

    [Fact]
    public void Who_asked_how_far_it_is_and_left_as_the_last_of_its_bucket_is_forgotten()
    {
        var desk = new Desk();
        var watch = desk.Watch("/a");
        desk.Table.AskProgress(watch.Id, desk.NowMs);
        desk.Table.Unsubscribe(watch.Id, EndReason.Disposed);
        desk.Answer();
        Assert.Equal(0, desk.Table.UnderWay);
    }

    /// <summary>Asks until the leader's scopes are compared with the silo's. Returns what that has the shell do.</summary>
    private static List<WatchEffect> Reconcile(Desk desk)
    {
        Assert.DoesNotContain(desk.TakeEffects(), effect => effect is not WatchEffect.UnregisterScope);
        desk.Progress();
        return [.. desk.TakeEffects().Where(effect => effect is not WatchEffect.AskProgress)];
    }
}
