using Watch.Grains.Consensus;

namespace Watch.Cluster.Tests;

/// <summary>A call to a silo that gives no sign of life is given up; one to a silo that lives is waited for.</summary>
public sealed class SiloPulseTests
{
    private static readonly TimeSpan s_aMoment = TimeSpan.FromSeconds(1);
    private readonly FakeSilos _silos = new();
    private readonly JumpingTime _time = new();

    [Fact]
    public async Task A_call_is_given_up_when_its_silo_does_not_say_who_it_is()
    {
        _silos.Add(2).OnDescribe = () => throw new TimeoutException("no answer");
        var call = new TaskCompletionSource<int>();

        var guarded = Pulse().WhileAliveAsync(FakeSilos.Address(2), call.Task);
        _time.Jump(s_aMoment);

        await Assert.ThrowsAsync<TimeoutException>(() => guarded.WaitAsync(WatchCluster.Patience));
    }

    [Fact]
    public async Task A_call_that_takes_long_is_waited_for_while_its_silo_says_who_it_is()
    {
        var (asked, call) = (0, new TaskCompletionSource<int>());
        var askedTwice = new TaskCompletionSource();
        _silos.Add(2).OnDescribe = () =>
        {
            if (++asked == 2)
                askedTwice.SetResult();
            return Task.CompletedTask;
        };

        var guarded = Pulse().WhileAliveAsync(FakeSilos.Address(2), call.Task);
        await askedTwice.Task.WaitAsync(WatchCluster.Patience);
        Assert.False(guarded.IsCompleted);
        call.SetResult(7);

        Assert.Equal(7, await guarded);
    }

    [Fact]
    public async Task A_call_that_began_after_the_question_is_not_given_up_by_it()
    {
        var (firstAsked, answer) = (new TaskCompletionSource(), new TaskCompletionSource());
        _silos.Add(2).OnDescribe = () =>
        {
            firstAsked.TrySetResult();
            return answer.Task;
        };
        var pulse = Pulse();
        var (late, early) = (new TaskCompletionSource<int>(), new TaskCompletionSource<int>());
        var given = pulse.WhileAliveAsync(FakeSilos.Address(2), late.Task);
        await firstAsked.Task.WaitAsync(WatchCluster.Patience);

        var kept = pulse.WhileAliveAsync(FakeSilos.Address(2), early.Task);
        answer.SetException(new TimeoutException("no answer"));
        await Assert.ThrowsAsync<TimeoutException>(() => given.WaitAsync(WatchCluster.Patience));
        Assert.False(kept.IsCompleted);
        early.SetResult(8);
        Assert.Equal(8, await kept);
    }

    [Fact]
    public async Task What_a_call_throws_reaches_its_caller()
    {
        _silos.Add(2);
        var call = new TaskCompletionSource<int>();
        var guarded = Pulse().WhileAliveAsync(FakeSilos.Address(2), call.Task);
        call.SetException(new InvalidOperationException("its own"));
        Assert.Equal("its own", (await Assert.ThrowsAsync<InvalidOperationException>(() => guarded)).Message);
    }

    private SiloPulse Pulse() => new(_silos, _time);
}
