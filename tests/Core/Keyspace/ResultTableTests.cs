using Watch.Core.Keyspace;
using Xunit.Abstractions;

namespace Watch.Core.Tests.Keyspace;

public class ResultTableTests(ITestOutputHelper output)
{
    private static readonly ClientId s_client = new(1);
    private readonly BucketState _state = new(new ResultLimits { ResultsMax = 4, ResultsPerClientMax = 3, SpanMs = 1000 }, KeyspaceRules.Standard);
    private long _stamp;

    [Fact]
    public void A_write_that_arrives_again_gets_the_same_answer_and_changes_nothing()
    {
        var first = Put("a", Id(1));
        var second = Put("b", Id(2));
        Assert.Equal((ApplyStatus.IdTaken, ApplyStatus.IdTaken), (Put("b", Id(1)).Status, Put("a", Id(2)).Status));
        var before = (_state.Revision, _state.HistoryChanges);

        foreach (var again in new[] { Put("a", Id(1)), Put("a", Id(1) with { Seen = new LogIndex(1) }) })
            Assert.Equal((first.Status, first.Revision, first.Previous, first.Index), (again.Status, again.Revision, again.Previous, again.Index));
        Assert.Equal("a"u8.ToArray(), second.Previous!.Value.ToArray());
        Assert.Equal("a"u8.ToArray(), Put("b", Id(2)).Previous!.Value.ToArray());
        Assert.Equal(before, (_state.Revision, _state.HistoryChanges));
    }

    [Fact]
    public void A_refused_condition_and_a_delete_of_nothing_are_remembered_too()
    {
        var refused = Apply(WriteCommand.Put(Key.Of("k"), default, Condition.Exists, Id(1)));
        var nothing = Apply(WriteCommand.Delete(Key.Of("k"), null, Id(2)));
        Put("now it is there", null);

        Assert.Equal((ApplyStatus.ConditionFailed, ApplyStatus.Unchanged), (refused.Status, nothing.Status));
        Assert.Equal(refused.Status, Apply(WriteCommand.Put(Key.Of("k"), default, Condition.Exists, Id(1))).Status);
        Assert.Equal(nothing.Status, Apply(WriteCommand.Delete(Key.Of("k"), null, Id(2))).Status);
        Assert.Equal(1, _state.Revision.Value);
    }

    [Fact]
    public void What_its_client_has_the_answer_for_is_forgotten_at_once_and_a_late_copy_is_refused()
    {
        for (var number = 1; number <= 100; number++)
            Assert.Equal(ApplyStatus.Applied, Put($"{number}", Id(number) with { OldestOpen = number }).Status);

        Assert.Equal(1, _state.ResultCount);
        Assert.Equal(ApplyStatus.Unknown, Put("99", Id(99) with { Seen = _state.Applied }).Status);
        Assert.Equal(100, _state.Revision.Value);
    }

    [Fact]
    public void A_client_with_too_many_results_loses_its_oldest_and_nobody_elses()
    {
        var other = Id(1) with { Client = new ClientId(2) };
        Put("other", other);
        for (var number = 1; number <= 10; number++)
            Assert.Equal(ApplyStatus.Applied, Put($"{number}", Id(number) with { Seen = _state.Applied }).Status);

        Assert.Equal(ApplyStatus.Unknown, Put("1", Id(1)).Status);
        Assert.Equal(ApplyStatus.Applied, Put("10", Id(10)).Status);
        Assert.Equal(ApplyStatus.Applied, Put("other", other).Status);
        Assert.Equal(11, _state.Revision.Value);
    }

    [Fact]
    public void After_the_span_in_log_time_a_retry_is_refused_and_a_fresh_write_is_not()
    {
        Put("a", Id(1));
        _stamp = 1000;
        Assert.Equal(ApplyStatus.Applied, Put("a", Id(1)).Status);
        var seen = _state.Applied;
        _stamp = 1001;
        Put("somebody else's", null);

        Assert.Equal(0, _state.ResultCount);
        Assert.Equal(ApplyStatus.Unknown, Put("a", Id(1)).Status);
        Assert.Equal(ApplyStatus.Applied, Put("b", Id(2) with { Seen = seen }).Status);
        Assert.Equal(3, _state.Revision.Value);
    }

    [Fact]
    public void However_large_the_values_that_others_write_nobody_is_refused_and_every_answer_is_remembered()
    {
        var state = new BucketState();
        var large = new byte[1 << 20];
        LogIndex seen = default;
        Outcome Send(int client, int round) => state.Apply(
            WriteCommand.Put(Key.Of($"/{client}"), large, null, new WriteId(new ClientId((UInt128)client), round, seen, round)),
            new AppliedAt(state.Applied.Next, new LogTime(round * 30_000), 0),
            NothingWatched.Instance);

        for (var round = 1; round <= 2; round++)
        {
            for (var client = 0; client < 160; client++)
                Assert.Equal(ApplyStatus.Applied, Send(client, round).Status);
            for (var client = 0; client < 160; client++)
                Assert.Equal((ApplyStatus.Applied, round - 1, false), Told(Send(client, round)));
            seen = state.Applied;
        }

        Assert.Equal((160, 320), (state.ResultCount, state.Revision.Value));

        static (ApplyStatus, long, bool) Told(Outcome answer) => (answer.Status, answer.Previous?.Version ?? 0, answer.PreviousCompacted);
    }

    [Fact]
    public void A_repeated_answer_has_the_key_before_the_write_as_long_as_history_has_it_and_says_where_not()
    {
        var state = new BucketState();
        Outcome Send(Command command) => state.Apply(command, new AppliedAt(state.Applied.Next, default, 0), NothingWatched.Instance);
        var overwrite = WriteCommand.Put(Key.Of("a"), "2"u8.ToArray(), null, Id(1));
        var refused = WriteCommand.Put(Key.Of("b"), "3"u8.ToArray(), Condition.Absent, Id(2));
        var nothing = WriteCommand.Delete(Key.Of("c"), null, Id(3));
        Send(WriteCommand.Put(Key.Of("a"), "1"u8.ToArray()));
        Send(WriteCommand.Put(Key.Of("b"), "1"u8.ToArray()));
        foreach (var each in new[] { overwrite, refused, nothing })
            Send(each);
        Send(WriteCommand.Delete(Key.Of("a")));

        Assert.Equal(("1", false), Before(Send(overwrite)));
        Send(new CompactCommand(new Revision(4)));
        Assert.Equal((null, true), Before(Send(overwrite)));
        Assert.Equal((ApplyStatus.Applied, 3), (Send(overwrite).Status, Send(overwrite).Revision.Value));
        Assert.Equal(("1", false), Before(Send(refused)));                    // unchanged since, so compaction has kept it
        Assert.Equal((null, false), Before(Send(nothing)));
        Send(WriteCommand.Put(Key.Of("b"), "4"u8.ToArray()));
        Assert.Equal(("1", false), Before(Send(refused)));
        Send(new CompactCommand(state.Revision));
        Assert.Equal((null, true), Before(Send(refused)));

        static (string?, bool) Before(Outcome answer) =>
            (answer.Previous is { } previous ? System.Text.Encoding.UTF8.GetString(previous.Value.Span) : null, answer.PreviousCompacted);
    }

    [Fact]
    public void Another_write_with_an_id_that_is_taken_is_refused_as_such_and_changes_nothing()
    {
        var first = WriteCommand.Put(Key.Of("k"), "v"u8.ToArray(), Condition.Absent, Id(1));
        Assert.Equal(ApplyStatus.Applied, Apply(first).Status);
        foreach (var other in new[]
        {
            WriteCommand.Put(Key.Of("l"), "v"u8.ToArray(), Condition.Absent, Id(1)),
            WriteCommand.Put(Key.Of("k"), "w"u8.ToArray(), Condition.Absent, Id(1)),
            WriteCommand.Put(Key.Of("k"), "v"u8.ToArray(), Condition.Exists, Id(1)),
            WriteCommand.Put(Key.Of("k"), "v"u8.ToArray(), null, Id(1)),
            WriteCommand.Delete(Key.Of("k"), Condition.Absent, Id(1)),
        })
        {
            Assert.Equal((ApplyStatus.IdTaken, null), (Apply(other).Status, Apply(other).Previous));
        }

        Assert.Equal((ApplyStatus.Applied, 1), (Apply(first).Status, _state.Revision.Value));
    }

    [Fact]
    public void A_write_that_claims_to_have_seen_its_own_index_is_of_another_log_and_refused() =>
        Assert.Equal(ApplyStatus.Unknown, Put("a", Id(1) with { Seen = _state.Applied.Next }).Status);

    [Fact]
    public void However_copies_are_lost_repeated_and_reordered_a_write_takes_effect_at_most_once_and_its_answers_are_equal()
    {
        var random = Seeds.Start(output, out var seed);
        var unknown = 0;
        for (var each = 0; each < 400; each++)
            unknown += Assert.IsType<int>(RetryStorm.Run(random.Next(), KeyspaceRules.Standard, output));
        output.WriteLine($"seed {seed}: {unknown} copies were refused as unknown");
        Assert.True(unknown > 0, "eviction was never met");
    }

    [Fact]
    public void With_room_for_all_results_every_copy_of_an_open_write_is_answered()
    {
        var random = Seeds.Start(output, out _);
        for (var each = 0; each < 100; each++)
            RetryStorm.Run(random.Next(), KeyspaceRules.Standard, output, new ResultLimits(), lateCopies: false);
    }

    [Fact]
    public void A_client_that_takes_a_fresh_id_though_a_sending_may_have_arrived_writes_twice()
    {
        var caught = Enumerable.Range(0, 500).Select(seed => Record.Exception(() => RetryStorm.Run(seed, KeyspaceRules.Standard, output, careless: true))).FirstOrDefault(failure => failure is not null);
        Assert.Contains("took effect 2 times", Assert.IsType<RetryStorm.ViolationException>(caught).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(typeof(ForgetsMarks))]
    [InlineData(typeof(ForgetsHorizon))]
    [InlineData(typeof(AnswersAnyWrite))]
    [InlineData(typeof(TakesCompactedForAbsent))]
    public void A_broken_rule_is_noticed(Type rule)
    {
        for (var seed = 0; seed < 500; seed++)
        {
            try
            {
                RetryStorm.Run(seed, (KeyspaceRules)Activator.CreateInstance(rule)!, output);
            }
            catch (RetryStorm.ViolationException violation)
            {
                output.WriteLine($"seed {seed}: {violation.Message}");
                return;
            }
        }

        Assert.Fail($"{rule.Name} was not noticed");
    }

    private static WriteId Id(long number) => new(s_client, number, LogIndex.None, 1);

    private Outcome Put(string value, WriteId? id) => Apply(WriteCommand.Put(Key.Of("k"), System.Text.Encoding.UTF8.GetBytes(value), null, id));

    private Outcome Apply(Command command) => _state.Apply(command, new AppliedAt(_state.Applied.Next, new LogTime(_stamp), 0), NothingWatched.Instance);

    private sealed class ForgetsMarks : KeyspaceRules
    {
        internal override bool IsAnswered(long number, long answeredBelow) => false;
    }

    private sealed class AnswersAnyWrite : KeyspaceRules
    {
        internal override bool IsSameWrite(ulong fingerprint, ulong before) => true;
    }

    private sealed class TakesCompactedForAbsent : KeyspaceRules
    {
        internal override bool TellsAbsence(Revision at, Revision compacted) => true;
    }

    private sealed class ForgetsHorizon : KeyspaceRules
    {
        internal override bool IsForgotten(LogIndex seen, LogIndex horizon) => false;
    }
}
