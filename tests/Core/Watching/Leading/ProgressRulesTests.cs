using Watch.Core;
using Watch.Core.Watching;
using Xunit.Abstractions;

namespace Watch.Core.Tests.Watching;

/// <summary>What the question about progress rests on: each rule, broken, loses a change, and the judge of the watches notices.</summary>
public class ProgressRulesTests(ITestOutputHelper output)
{
    private const int Seeds = 3000;
    private const int Steps = 400;

    [Theory]
    [InlineData(typeof(ForgetsBeforeStart))]
    [InlineData(typeof(CoversEverything))]
    public void A_broken_rule_of_the_table_is_caught(Type rules) =>
        Catch(rules.Name, seed => new Simulation(seed, new Wire(), (WatchRules)Activator.CreateInstance(rules)!).Run(Steps));

    [Theory]
    [InlineData(typeof(AcknowledgesAnyTerm))]
    [InlineData(typeof(AlwaysAgrees))]
    [InlineData(typeof(ForgetsWhatItTold))]
    public void A_broken_leader_is_caught(Type leader) =>
        Catch(leader.Name, seed => new Simulation(seed, (Wire)Activator.CreateInstance(leader)!).Run(Steps));

    [Fact]
    public void A_scope_that_is_moved_when_it_is_looked_at_stands_where_one_stands_that_is_moved_at_once()
    {
        for (var seed = 0; seed < 300; seed++)
        {
            // One moves all of its scopes after every step, the other none.
            var (eager, lazy) = (new Pair(seed, moves: true), new Pair(seed, moves: false));
            for (var step = 0; step < 200; step++)
            {
                eager.Step();
                lazy.Step();
            }

            Assert.True(eager.Cursors().SequenceEqual(lazy.Cursors()), $"seed {seed}: {string.Join(" ", eager.Cursors())} is not {string.Join(" ", lazy.Cursors())}");
            Assert.True(eager.Cursors().Any(cursor => cursor > Revision.None), $"seed {seed}: nothing moved");
        }
    }

    [Fact]
    public void A_confirmation_of_a_hundred_thousand_quiet_scopes_touches_none_of_them()
    {
        var desk = new Desk();
        for (var i = 0; i < 100_000; i++)
            desk.Begin($"/{i}");
        desk.Answer();
        desk.Progress();
        desk.Put("/7", "x");
        desk.Progress();

        var ask = desk.Table.BeginProgress(desk.Bucket, desk.NowMs);
        var answer = desk.Ledger.Answer(ask);
        var before = GC.GetAllocatedBytesForCurrentThread();
        desk.Table.Progress(ask, answer, desk.NowMs);
        var bytes = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.True(answer is { Agrees: true, More: false } && answer.Heads.Count <= 1, $"the answer has {answer.Heads.Count} heads");
        Assert.InRange(bytes, 0, 4096);
        Assert.True(desk.Table.TryGet(new SubscriptionId(1), out var watch));
        Assert.Equal(desk.Ledger.Now, watch.EffectiveCursor);
    }

    [Fact]
    public void A_change_before_a_new_leader_has_learned_its_watchers_is_told_by_the_next_question()
    {
        var desk = new Desk();
        var watch = desk.Watch("/a");
        desk.Progress();
        desk.Ledger.ChangeLeader();
        Assert.Empty(desk.Ledger.Commit(("/a", "unnamed")));
        foreach (var scope in desk.Table.ScopesOf(desk.Bucket))
            desk.Ledger.Register(scope);

        var ask = desk.Table.BeginProgress(desk.Bucket, desk.NowMs);
        var answer = desk.Ledger.Answer(ask);
        Assert.True(answer.Agrees);
        desk.Table.Progress(ask, answer, desk.NowMs);
        desk.TickDue();
        desk.Answer();

        Assert.Equal(["put /a unnamed @1"], Desk.Read(watch));
    }

    [Fact]
    public void Two_that_do_not_agree_are_reconciled_by_the_third_answer()
    {
        var desk = new Desk();
        var watch = desk.Watch("/a");
        desk.Progress();
        // The leader forgets one, and keeps one that nobody watches.
        desk.Ledger.ChangeLeader();
        desk.Ledger.Register(Desk.ScopeOf("/gone"));
        desk.Ledger.Commit(("/a", "unnamed"));
        for (var round = 0; round < 3; round++)
        {
            var ask = desk.Table.BeginProgress(desk.Bucket, desk.NowMs);
            Assert.Equal(round == 2, ask.WantsAll);
            desk.Table.Progress(ask, desk.Ledger.Answer(ask), desk.NowMs);
            desk.Answer();
        }

        desk.TickDue();
        desk.Answer();
        Assert.Equal(["put /a unnamed @1"], Desk.Read(watch));
        Assert.Equal([Desk.ScopeOf("/a")], desk.Ledger.Watched.ScopesOf(Ledger.Silo));
        var last = desk.Table.BeginProgress(desk.Bucket, desk.NowMs);
        Assert.True(desk.Ledger.Answer(last) is { Agrees: true, IsAll: false });
    }

    /// <summary>A new leader knows nothing, and the call that tells it is lost: neither side counts the scope then, so no answer shows that it is missing.</summary>
    [Fact]
    public void A_live_scope_whose_registration_anew_failed_is_registered_again()
    {
        var desk = new Desk();
        var watch = desk.Watch("/a");
        desk.Progress();
        desk.Ledger.ChangeLeader();
        desk.Ledger.Commit(("/a", "unnamed"));
        for (var round = 0; round < 3; round++)
            Ask();
        var register = Assert.Single(desk.TakeEffects().OfType<WatchEffect.RegisterScope>());
        desk.Table.RegisterFailed(register.Subscription, desk.NowMs);
        Assert.Empty(desk.Ledger.Watched.ScopesOf(Ledger.Silo));

        Assert.True(Ask() is { Agrees: true });

        desk.Answer();
        desk.TickDue();
        desk.Answer();
        Assert.Equal(["put /a unnamed @1"], Desk.Read(watch));
        Assert.Equal([Desk.ScopeOf("/a")], desk.Ledger.Watched.ScopesOf(Ledger.Silo));

        BucketProgress Ask()
        {
            var ask = desk.Table.BeginProgress(desk.Bucket, desk.NowMs);
            var answer = desk.Ledger.Answer(ask);
            desk.Table.Progress(ask, answer, desk.NowMs);
            return answer;
        }
    }

    /// <summary>Too many scopes for one answer with all: none is named, and all are registered again; whoever missed a change is told of it.</summary>
    [Theory]
    [InlineData(5)]
    [InlineData(200)]
    public void Two_that_do_not_agree_on_more_scopes_than_an_answer_names_begin_anew(int scopes)
    {
        const int HeadsMax = 4;
        var desk = new Desk();
        var watches = Enumerable.Range(0, scopes).Select(at => desk.Watch($"/{at}")).ToList();
        Ask();
        // A withdrawal was lost, and so is one change for each.
        desk.Ledger.Register(Desk.ScopeOf("/gone"));
        for (var at = 0; at < scopes; at++)
            desk.Ledger.Commit(($"/{at}", "lost"));

        var questions = 0;
        while (!Ask())
            Assert.True(++questions < scopes + 10, "the two never agree");

        desk.TickDue();
        desk.Answer();
        Assert.All(watches, (watch, at) => Assert.Equal([$"put /{at} lost @{at + 1}"], Desk.Read(watch)));
        Assert.Equal(scopes, desk.Ledger.Watched.ScopesOf(Ledger.Silo).Count);

        bool Ask()
        {
            var ask = desk.Table.BeginProgress(desk.Bucket, desk.NowMs);
            var answer = desk.Ledger.Answer(ask, HeadsMax, HeadsMax);
            Assert.InRange(answer.Heads.Count, 0, HeadsMax);
            desk.Table.Progress(ask, answer, desk.NowMs);
            desk.Answer();
            return answer is { Agrees: true, More: false };
        }
    }

    /// <summary>A million scopes of one silo: no answer holds more than it may, and every scope is told.</summary>
    [Fact]
    public void A_million_scopes_are_told_and_forgotten_and_told_again_in_bounded_answers()
    {
        const int Scopes = 1_000_000;
        const int HeadsMax = 16_384;
        var scopes = Enumerable.Range(0, Scopes).Select(at => Desk.ScopeOf($"/{at}")).ToArray();
        var watched = new WatchedScopes();
        foreach (var scope in scopes)
            watched.Register(scope, Ledger.Silo, new Revision(1));
        Assert.Equal((Scopes, ScopesHash.Of(scopes)), watched.Of(Ledger.Silo));
        Assert.Equal(Scopes, TellAll());

        var all = watched.AnswerAll(Ledger.Silo, HeadsMax);

        Assert.True(all is { IsAll: true, More: false, Heads.Count: 0 });
        Assert.Equal(default, watched.Of(Ledger.Silo));
        Assert.Empty(watched.Named(scopes[7], new Revision(2)));
        foreach (var scope in scopes)
            watched.Register(scope, Ledger.Silo, new Revision(2));
        Assert.Equal(Scopes, TellAll());

        // Texts count, too: one that is longer than an answer may be is named alone.
        watched.Named(scopes[^1], new Revision(3));
        watched.Named(scopes[^2], new Revision(3));
        Assert.True(watched.Answer(Ledger.Silo, 0, HeadsMax, textBytesMax: 1) is { Heads.Count: 1, More: true });
        Assert.True(watched.AnswerAll(Ledger.Silo, int.MaxValue, textBytesMax: 1) is { IsAll: true, Heads.Count: 0 });

        int TellAll()
        {
            var (told, acknowledged) = (0, 0L);
            while (true)
            {
                var answer = watched.Answer(Ledger.Silo, acknowledged, HeadsMax);
                Assert.InRange(answer.Heads.Count, 0, HeadsMax);
                told += answer.Heads.Count;
                acknowledged = answer.Number;
                if (!answer.More)
                {
                    Assert.True(watched.Answer(Ledger.Silo, acknowledged, HeadsMax) is { Heads.Count: 0 });
                    return told;
                }
            }
        }
    }

    private void Catch(string name, Action<int> run)
    {
        for (var seed = 0; seed < Seeds; seed++)
        {
            try
            {
                run(seed);
            }
            catch (Exception caught) when (caught is BrokenPromiseException or InvariantViolationException)
            {
                output.WriteLine($"{name} is caught by seed {seed}: {caught.Message}");
                return;
            }
        }

        Assert.Fail($"{name} passed {Seeds} seeds");
    }

    private sealed class ForgetsBeforeStart : WatchRules
    {
        public override bool WantsBeforeStart => false;
    }

    private sealed class CoversEverything : WatchRules
    {
        public override bool Covers(long startedBefore, long question) => true;
    }

    /// <summary>Takes the acknowledgement of an answer of another leader for one of its own.</summary>
    private sealed class AcknowledgesAnyTerm : Wire
    {
        public override BucketProgress Progressed(Ledger ledger, ProgressAsk ask, int headsMax) => base.Progressed(ledger, ask with { AckTerm = ledger.Term }, headsMax);
    }

    /// <summary>Says that it has the silo's scopes, whichever it has.</summary>
    private sealed class AlwaysAgrees : Wire
    {
        public override BucketProgress Progressed(Ledger ledger, ProgressAsk ask, int headsMax) => base.Progressed(ledger, ask with { WantsAll = false }, headsMax) with { Agrees = true };
    }

    /// <summary>Says each change once, whether or not the answer arrives.</summary>
    private sealed class ForgetsWhatItTold : Wire
    {
        public override BucketProgress Progressed(Ledger ledger, ProgressAsk ask, int headsMax)
        {
            var answer = base.Progressed(ledger, ask, headsMax);
            ledger.Watched.Answer(Ledger.Silo, answer.Number, 1);
            return answer;
        }
    }

    /// <summary>A table under a seed, whose scopes are moved after each step, or when they are looked at.</summary>
    private sealed class Pair(int seed, bool moves)
    {
        private static readonly string[] s_targets = ["/a", "/b", "prefix /", "prefix /c/", "/c/1"];
        private readonly Random _random = new(seed);
        private readonly Desk _desk = new();
        private readonly List<Subscription> _watches = [];

        public void Step()
        {
            switch (_random.Next(10))
            {
                case < 2 when _watches.Count < 12:
                    _watches.Add(_desk.Begin(s_targets[_random.Next(s_targets.Length)]));
                    break;
                case < 4:
                    _desk.Answer();
                    break;
                case < 6:
                    var messages = _desk.Ledger.Commit((new[] { "/a", "/b", "/c/1", "/d" }[_random.Next(4)], "x"));
                    var lost = _random.Next(3) == 0;
                    foreach (var message in messages.Where(_ => !lost))
                        _desk.Deliver(message);
                    break;
                case 6:
                    _desk.NowMs += 10;
                    _desk.Table.Tick(_desk.NowMs);
                    break;
                default:
                    _desk.Progress();
                    break;
            }

            if (moves)
                foreach (var watch in _watches.Where(each => each.Feed.IsStarted))
                    watch.Feed.Unchanged(watch.Feed.Cursor);
        }

        public List<Revision> Cursors() => [.. _watches.Where(each => each.State == SubscriptionState.Live).Select(each => each.EffectiveCursor!.Value)];
    }
}
