using Watch.Core.Watching.Delivery;

namespace Watch.Core.Tests.Watching;

/// <summary>Credits and the size of batches.</summary>
public sealed class DeliveryPlanTests
{
    [Fact]
    public void Grants_that_are_lost_repeated_or_late_shift_nothing_and_nothing_is_sent_without_credit()
    {
        var seed = Random.Shared.Next();
        var random = new Random(seed);
        for (var run = 0; run < 200; run++)
        {
            var credit = new CreditAccount(10, 1_000);
            long sentEvents = 0, sentBytes = 0, takenEvents = 0, takenBytes = 0;
            var grants = new List<(long Events, long Bytes)> { (10, 1_000) };
            for (var step = 0; step < 200; step++)
            {
                if (BatchPlan.TurnOf(credit) is { } turn)
                {
                    Assert.True(turn is { Events: > 0, Bytes: > 0 }, $"seed {seed}: a turn of nothing");
                    var (events, bytes) = (random.Next(1, turn.Events + 1), random.NextInt64(1, turn.Bytes + 1));
                    credit.Use(events, bytes);
                    (sentEvents, sentBytes) = (sentEvents + events, sentBytes + bytes);
                }

                (takenEvents, takenBytes) = (random.NextInt64(takenEvents, sentEvents + 1), random.NextInt64(takenBytes, sentBytes + 1));
                grants.Add((takenEvents + 10, takenBytes + 1_000));
                // Any of the words said so far arrives, or none.
                if (random.Next(3) > 0)
                {
                    var (events, bytes) = grants[random.Next(grants.Count)];
                    credit.Grant(events, bytes);
                }

                Assert.True(sentEvents - takenEvents <= 10 && sentBytes - takenBytes <= 1_000, $"seed {seed}: {sentEvents - takenEvents} events are on their way to a reader with room for 10");
            }

            credit.Grant(takenEvents + 10, takenBytes + 1_000);
            Assert.Equal((takenEvents + 10 - sentEvents, takenBytes + 1_000 - sentBytes), (credit.Events, credit.Bytes));
        }
    }

    [Fact]
    public void What_is_larger_than_the_credit_overdraws_it_once_and_is_made_up_for_before_anything_else_goes()
    {
        var credit = new CreditAccount(1, 100);
        credit.Use(1, 5_000);
        Assert.Null(BatchPlan.TurnOf(credit));
        Assert.True(credit.Grant(2, 5_000));
        Assert.Null(BatchPlan.TurnOf(credit));
        Assert.True(credit.Grant(2, 5_100));
        Assert.Equal((1, 100L), BatchPlan.TurnOf(credit));
        Assert.False(credit.Grant(1, 100), "an old word allowed more");
    }

    [Fact]
    public void A_batch_grows_while_answers_are_fast_and_more_waits_and_shrinks_when_they_are_slow()
    {
        var plan = new BatchPlan();
        plan.Answered(BatchPlan.FastMs, moreWaits: false);
        Assert.Equal(BatchPlan.TargetBytesMin, plan.TargetBytes);
        for (var at = 0; at < 10; at++)
            plan.Answered(BatchPlan.FastMs, moreWaits: true);
        Assert.Equal(BatchPlan.TargetBytesMax, plan.TargetBytes);
        plan.Answered(BatchPlan.SlowMs, moreWaits: true);
        Assert.Equal(BatchPlan.TargetBytesMax, plan.TargetBytes);
        plan.Answered(BatchPlan.SlowMs + 1, moreWaits: true);
        Assert.Equal(BatchPlan.TargetBytesMax / 2, plan.TargetBytes);
        for (var at = 0; at < 10; at++)
            plan.Answered(BatchPlan.SlowMs + 1, moreWaits: true);
        Assert.Equal(BatchPlan.TargetBytesMin, plan.TargetBytes);
    }

    [Theory]
    [InlineData(0, BatchPlan.TargetBytesMin / BatchPlan.StepBytes + 1)]
    [InlineData(BatchPlan.TargetBytesMin, 1)]
    public void A_batch_is_full_at_its_size_and_takes_at_least_one_thing(int bytesEach, int steps)
    {
        var plan = new BatchPlan();
        for (var at = 0; at < steps; at++)
        {
            Assert.False(plan.IsFull, $"the batch was full after {at} of {steps} steps");
            plan.Added(bytesEach);
        }

        Assert.True(plan.IsFull);
        Assert.Throws<InvariantViolationException>(() => plan.Added(0));
        plan.Begin();
        Assert.False(plan.IsFull);
    }
}
