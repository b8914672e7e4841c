// Calls: arguments and results, exceptions, timeouts, cancellation.

namespace Watch.Hosting.Tests;

[Collection("shared cluster")]
public sealed class CallTests(SharedCluster shared)
{
    private ICallGrain Grain(string key) => shared.Cluster.Client.GetGrain<ICallGrain>(key);

    [Fact]
    public async Task A_call_reaches_the_grain_of_its_key()
    {
        Assert.Equal("call-1", await Grain("call-1").WhoAmI());
        Assert.Equal("call-2", await Grain("call-2").WhoAmI());
        Assert.Equal("call-1", Grain("call-1").GetPrimaryKeyString());
    }

    [Fact]
    public async Task Value_tasks_and_grain_to_grain_calls_work()
    {
        await Grain("call-3").Nothing();
        Assert.Equal(5, await Grain("call-3").Add(2, 3));
        Assert.Equal(5, await Grain("call-3").CallOther("call-4", 2, 3));
    }

    [Fact]
    public async Task Arguments_and_results_are_copies()
    {
        var sent = new Box { Number = 1, Lines = { "sent" } };
        var received = await Grain("copy-1").Exchange(sent);
        Assert.Equal(1, sent.Number);
        Assert.Equal(["sent"], sent.Lines);
        Assert.Equal(2, received.Number);
        Assert.Equal(["sent", "changed by the grain"], received.Lines);

        var kept = await Grain("copy-1").Keep(sent);
        kept.Number = 100;
        Assert.Equal(1, await Grain("copy-1").KeptNumber());
    }

    [Fact]
    public async Task What_is_immutable_is_shared_within_a_silo()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        var grain = cluster.Silos[0].ServiceProvider.GetRequiredService<IGrainFactory>().GetGrain<ICallGrain>("copy-2");
        var shared = new SharedBox { Lines = { "never changed" } };
        Assert.True(await grain.IsSame(shared, System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(shared)));
        var box = new Box();
        Assert.True(await grain.IsSameArgument(box, System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(box)));
    }

    [Fact]
    public async Task Exceptions_reach_the_caller()
    {
        var e = await Assert.ThrowsAsync<InvalidOperationException>(() => Grain("fail-1").Fail("so it is"));
        Assert.Equal("so it is", e.Message);
    }

    [Fact]
    public async Task A_call_that_is_not_answered_in_time_fails_with_TimeoutException()
    {
        await Assert.ThrowsAsync<TimeoutException>(() => Grain("late-1").NeverInTime("late-1"));
        Signals.Set("late-1 may end");
    }

    [Fact]
    public async Task Cancellation_flows_to_the_grain_and_ends_the_call()
    {
        using var source = new CancellationTokenSource();
        var call = Grain("cancel-1").WaitForCancel("cancel-1", source.Token);
        await Signals.Wait("cancel-1 waits");
        await source.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        await Signals.Wait("cancel-1 canceled");
    }

    [Fact]
    public async Task A_call_with_a_canceled_token_is_not_made()
    {
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => Grain("cancel-2").WaitForCancel("cancel-2", new CancellationToken(canceled: true)));
        Assert.Empty(Journal.Read("cancel-2"));
    }

    [Fact]
    public async Task A_one_way_call_does_not_wait_and_does_not_fail()
    {
        await Grain("oneway-1").Tell("oneway-1");
        await Signals.Wait("oneway-1 told");
    }

    [Fact]
    public async Task The_request_context_travels_with_the_call()
    {
        RequestContext.Set("tests.color", "blue");
        Assert.Equal("blue", await Grain("context-1").ContextValue("tests.color"));
        RequestContext.Remove("tests.color");
        Assert.Null(await Grain("context-1").ContextValue("tests.color"));
    }

    [Fact]
    public async Task A_reference_can_be_passed_on_and_is_equal_to_another_one_of_the_same_grain()
    {
        var reference = await Grain("ref-1").Reference();
        Assert.Equal("ref-1", await reference.WhoAmI());
        Assert.Equal(Grain("ref-1"), reference);
        Assert.NotEqual(Grain("ref-2"), reference);
    }
}
