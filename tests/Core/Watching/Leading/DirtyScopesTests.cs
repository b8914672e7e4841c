using Watch.Core;
using Watch.Core.Watching;
using Xunit.Abstractions;

namespace Watch.Core.Tests.Watching;

/// <summary>What a leader tells a silo that asks what it missed: everything once at least, and no more than changed.</summary>
public class DirtyScopesTests(ITestOutputHelper output)
{
    private const string Silo = "s1";

    [Fact]
    public void Whatever_is_lost_repeated_and_reordered_a_silo_knows_every_scopes_last_change_in_the_end()
    {
        for (var seed = 0; seed < 500; seed++)
            new Run(seed, WatchRules.Kept).Play();
    }

    [Fact]
    public void Acknowledging_answers_of_an_older_term_loses_changes_and_is_noticed()
    {
        for (var seed = 0; seed < 500; seed++)
        {
            try
            {
                new Run(seed, new AcknowledgesAnyTerm()).Play();
            }
            catch (BrokenPromiseException caught)
            {
                output.WriteLine($"caught by seed {seed}: {caught.Message}");
                return;
            }
        }

        Assert.Fail("an acknowledgement of an older term passed 500 seeds");
    }

    [Fact]
    public void An_answer_costs_what_changed_and_not_what_is_watched()
    {
        var watched = new WatchedScopes();
        for (var i = 0; i < 100_000; i++)
            watched.Register(Scope.OfKey(Key.Of($"/{i}")), Silo, Revision.None);
        var acknowledged = 0L;
        for (var answer = watched.Answer(Silo, 0, 16_384); answer.Heads.Count > 0; answer = watched.Answer(Silo, acknowledged, 16_384))
            acknowledged = answer.Number;
        watched.Named(Scope.OfKey(Key.Of("/7")), new Revision(5));

        var before = GC.GetAllocatedBytesForCurrentThread();
        var last = watched.Answer(Silo, acknowledged, 16_384);
        var bytes = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.Equal([new ScopeHead(Scope.OfKey(Key.Of("/7")), new Revision(5))], last.Heads);
        Assert.InRange(bytes, 1, 1024);
    }

    [Fact]
    public void Busy_scopes_do_not_keep_others_out_of_answers_that_are_full()
    {
        var watched = new WatchedScopes();
        var scopes = Enumerable.Range(0, 10).Select(i => Scope.OfKey(Key.Of($"/{i}"))).ToList();
        scopes.ForEach(scope => watched.Register(scope, Silo, Revision.None));
        var told = new HashSet<Scope>();
        for (var (round, acknowledged) = (1, 0L); round <= 5; round++)
        {
            var answer = watched.Answer(Silo, acknowledged, headsMax: 2);
            // What is told changes again before it is acknowledged.
            foreach (var head in answer.Heads)
            {
                told.Add(head.Scope);
                watched.Named(head.Scope, new Revision(round));
            }

            acknowledged = answer.Number;
        }

        Assert.Equal(10, told.Count);
    }

    [Fact]
    public void The_checksum_that_is_kept_is_the_one_from_scratch_and_tells_sets_apart()
    {
        var seen = new Dictionary<ulong, string>();
        for (var seed = 0; seed < 200; seed++)
        {
            var random = new Random(seed);
            var watched = new WatchedScopes();
            var model = new HashSet<Scope>();
            for (var i = 0; i < 100; i++)
            {
                var scope = random.Next(2) == 0 ? Scope.OfKey(Key.Of($"/{random.Next(12)}")) : Scope.OfPrefix(Key.Of($"/{random.Next(12)}/"));
                if (random.Next(3) > 0 ? watched.Register(scope, Silo, Revision.None) : watched.Unregister(scope, Silo))
                    _ = model.Remove(scope) || model.Add(scope);
                Assert.True(watched.Of(Silo) == (model.Count, ScopesHash.Of(model)), $"seed {seed}, step {i}");
                var text = string.Join(" ", model.Select(each => each.ToString()).Order(StringComparer.Ordinal));
                Assert.True(seen.TryAdd(ScopesHash.Of(model), text) || seen[ScopesHash.Of(model)] == text, $"seed {seed}, step {i}: two sets share a checksum");
            }
        }
    }

    [Fact]
    public void The_checksum_of_a_scope_is_the_same_in_every_process() =>
        Assert.Equal(
            [0x2C2750522C90E370, 0xAA1093E3C79AB7F9, 0x9C0E6B08D6DC151B],
            new[] { Scope.OfKey(Key.Of("/a")), Scope.Bucket, Scope.OfPrefix(Key.Of("/a/")) }.Select(ScopesHash.Of));

    private sealed class AcknowledgesAnyTerm : WatchRules
    {
        public override bool Acknowledges(long ackTerm, long term) => true;
    }

    /// <summary>A leader that changes, one silo, and a network in between; the silo's knowledge is compared with a plain map of heads.</summary>
    private sealed class Run(int seed, WatchRules rules)
    {
        private readonly Random _random = new(seed);
        private readonly Dictionary<Scope, Revision> _heads = [];
        private readonly Dictionary<Scope, Revision> _known = [];
        private readonly List<(long Term, long Number)> _questions = [];
        private readonly List<(long Term, DirtyAnswer Answer)> _answers = [];
        private WatchedScopes _watched = new();
        private (long Term, long Number) _taken;
        private long _term = 1;
        private long _revision;

        public void Play()
        {
            for (var i = 0; i < 6; i++)
                Register(Scope.OfKey(Key.Of($"/{i}")));
            for (var step = 0; step < 300; step++)
                Step();
            // From here on nothing is lost; two full answers have all that there can be.
            for (var round = 0; round < 3; round++)
            {
                _answers.Clear();
                _questions.Clear();
                Ask();
                Serve(0);
                TakeIn(0);
            }

            foreach (var (scope, head) in _heads)
                if (_known.GetValueOrDefault(scope) != head)
                    throw new BrokenPromiseException($"seed {seed}: {scope} changed at {head}, but the silo knows of {_known.GetValueOrDefault(scope)}");
        }

        private void Step()
        {
            switch (_random.Next(20))
            {
                case < 8:
                    var scope = _heads.Keys.ElementAt(_random.Next(_heads.Count));
                    _heads[scope] = new Revision(++_revision);
                    _watched.Named(scope, _heads[scope]);
                    break;
                case < 12:
                    Ask();
                    break;
                case < 15 when _questions.Count > 0:
                    Serve(_random.Next(_questions.Count));
                    break;
                case < 18 when _answers.Count > 0:
                    var at = _random.Next(_answers.Count);
                    if (_random.Next(4) == 0)
                        _answers.RemoveAt(at);
                    else
                        TakeIn(at);
                    break;
                case 18 when _random.Next(5) == 0:
                    (_watched, _term) = (new WatchedScopes(), _term + 1);
                    foreach (var each in _heads.Keys)
                        Register(each);
                    break;
                case 19:
                    _watched.AnswerAll(Silo);                               // and its answer is lost
                    break;
            }
        }

        private void Register(Scope scope)
        {
            _heads.TryAdd(scope, Revision.None);
            _watched.Register(scope, Silo, _heads[scope]);
        }

        private void Ask() => _questions.Add(_taken);

        private void Serve(int at)
        {
            var (term, number) = _questions[at];
            if (_random.Next(4) != 0)
                _questions.RemoveAt(at);
            _answers.Add((_term, _watched.Answer(Silo, rules.Acknowledges(term, _term) ? number : 0, headsMax: 4)));
        }

        private void TakeIn(int at)
        {
            var (term, answer) = _answers[at];
            _answers.RemoveAt(at);
            foreach (var (scope, head) in answer.Heads)
                _known[scope] = Revision.Max(_known.GetValueOrDefault(scope), head);
            _taken = (term, answer.Number);
        }
    }
}
