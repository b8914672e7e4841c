using Watch.Client;
using Watch.Embedded.Simulation;

namespace Watch.Simulation.Tests;

/// <summary>When a call is asked again, by which way, and what its caller is told (H1 to H3, D1 to D4), in virtual time.</summary>
public sealed class HedgedCallTests
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_never = TimeSpan.FromHours(1);

    private readonly SimulatedWorld _world = new(1);
    private readonly WatchClientOptions _options = new();
    private readonly HashSet<int> _frozen = [];
    private readonly List<Door?> _ways = [];
    private readonly Doors _doors;
    private int _questions;

    public HedgedCallTests() => _doors = new Doors(AskAsync, _options, _world.TimeProvider, new SeededRandom(_world.Random));

    [Fact]
    public void A_call_that_is_answered_in_time_is_sent_once_and_nobody_is_felt_for() => Run(async () =>
    {
        Assert.Equal(1, await CallAsync(isWrite: true, 0.9));
        Assert.Equal([null], _ways);
        Assert.Equal(0, _questions);
    });

    [Fact]
    public void A_silent_way_is_left_after_a_moment_and_the_next_calls_avoid_it() => Run(async () =>
    {
        Freeze(0, 3, 5);
        Assert.Equal(2, await CallAsync(isWrite: true, s_never.TotalSeconds, 0.1));
        Assert.InRange(Elapsed, 1.5, 1.7);
        for (var call = 0; call < 100; call++)
            await CallAsync(isWrite: true, 0.001);
        Assert.All(_ways.Skip(1), way => Assert.DoesNotContain(way!.Value.Number, _frozen));
        Assert.True(_ways.Skip(1).Distinct().Count() > 5, "the doors that answer share the calls");
    });

    [Fact]
    public void A_door_that_answers_again_is_used_again_and_when_all_do_none_is() => Run(async () =>
    {
        Freeze(0, 3, 5);
        await CallAsync(isWrite: false, s_never.TotalSeconds, 0.1);
        Assert.NotNull(_doors.Preferred());
        _frozen.Clear();
        await _world.Pass(_options.HedgeAfter);
        Assert.NotNull(_doors.Preferred());
        await _world.Pass(_options.SilencePatience);
        Assert.Null(_doors.Preferred());
    });

    [Fact]
    public void A_slow_leader_is_asked_once_more_at_most() => Run(async () =>
    {
        Assert.Equal(1, await CallAsync(isWrite: true, 8, s_never.TotalSeconds));
        Assert.Equal(2, _ways.Count);
        Assert.InRange(Elapsed, 8, 8.1);
    });

    [Fact]
    public void Way_after_way_is_tried_while_each_turns_out_silent() => Run(async () =>
    {
        var call = CallAsync(isWrite: true, s_never.TotalSeconds, s_never.TotalSeconds, 0.1);
        await _world.Pass(TimeSpan.FromSeconds(1.6));
        Freeze(_ways[1]!.Value.Number);
        Assert.Equal(3, await call);
    });

    [Fact]
    public void Without_any_answer_the_call_ends_at_its_limit() => Run(async () =>
    {
        Freeze([.. Enumerable.Range(0, Watch.Interfaces.GrainKeys.Doors)]);
        await Assert.ThrowsAsync<TimeoutException>(() => CallAsync(isWrite: true, s_never.TotalSeconds));
        Assert.InRange(Elapsed, 10, 10.1);
        Assert.Single(_ways);
    });

    [Fact]
    public void A_refusal_is_the_truth_of_a_read_and_leaves_a_write_open_that_was_sent_elsewhere_before() => Run(async () =>
    {
        Freeze(1);
        var refused = new WatchException(WatchErrorCode.Busy, "busy");
        var read = await Assert.ThrowsAsync<WatchException>(() => CallAsync(isWrite: false, s_never.TotalSeconds, refused));
        var write = await Assert.ThrowsAsync<WatchException>(() => HedgedAsync(isWrite: true, [s_never.TotalSeconds, refused], new Doors(AskAsync, _options, _world.TimeProvider, new SeededRandom(_world.Random))));
        Assert.Equal((WatchErrorCode.Busy, WatchErrorCode.OutcomeUnknown), (read.Code, write.Code));
        Assert.Equal(WatchErrorCode.Busy, (await Assert.ThrowsAsync<WatchException>(() => CallAsync(isWrite: true, refused))).Code);
    });

    [Fact]
    public void What_is_lost_on_one_way_is_waited_for_on_the_other() => Run(async () =>
    {
        Freeze(1);
        Assert.Equal(1, await CallAsync(isWrite: true, 3.0, new TimeoutException("lost")));
        Assert.Equal(2, _ways.Count);
    });

    [Fact]
    public void A_question_that_fails_late_does_not_count_against_a_door_that_answered_a_later_one() => Run(async () =>
    {
        var first = new TaskCompletionSource();
        var asked = 0;
        var doors = new Doors(_ => ++asked <= Watch.Interfaces.GrainKeys.Doors ? first.Task : Task.CompletedTask, _options, _world.TimeProvider, new SeededRandom(_world.Random));
        await doors.FeelAsync();
        Assert.Null(doors.Answering());
        await doors.FeelAsync();
        Assert.Null(doors.Preferred());
        first.SetException(new TimeoutException("late"));
        Assert.Null(doors.Preferred());
        Assert.True(doors.Answers(new Door(0)));
    });

    private double Elapsed { get; set; }

    private void Run(Func<Task> scenario) => _world.Run(scenario);

    private void Freeze(params int[] doors) => _frozen.UnionWith(doors);

    /// <summary>Calls; each sending is answered with its number after so many seconds, or fails so.</summary>
    private Task<int> CallAsync(bool isWrite, params object[] sendings) => HedgedAsync(isWrite, sendings, _doors);

    private async Task<int> HedgedAsync(bool isWrite, object[] sendings, Doors doors)
    {
        var began = _world.TimeProvider.GetTimestamp();
        var sent = 0;
        try
        {
            return await new HedgedCall<int>(way => SendAsync(way, ++sent, sendings), doors, _options.HedgeAfter, _world.TimeProvider, isWrite).RunAsync(s_limit, CancellationToken.None);
        }
        finally
        {
            Elapsed = _world.TimeProvider.GetElapsedTime(began).TotalSeconds;
        }
    }

    private async Task<int> SendAsync(Door? way, int number, object[] sendings)
    {
        _ways.Add(way);
        if (sendings[number - 1] is Exception error)
            throw error;
        await _world.Pass(TimeSpan.FromSeconds(Convert.ToDouble(sendings[number - 1], System.Globalization.CultureInfo.InvariantCulture)));
        return number;
    }

    private Task AskAsync(Door door)
    {
        _questions++;
        return _frozen.Contains(door.Number) ? _world.Pass(s_never) : _world.Pass(TimeSpan.FromMilliseconds(1));
    }
}
