using Watch.Core.Keyspace;
using Xunit.Abstractions;

namespace Watch.Core.Tests.Keyspace;

public class ModelTests(ITestOutputHelper output)
{
    private const int Histories = 30;
    private const int CommandsPerHistory = 150;

    [Fact]
    public void Whatever_the_commands_the_state_answers_as_a_model_that_keeps_everything()
    {
        var random = Seeds.Start(output, out var seed);
        for (var history = 0; history < Histories; history++)
        {
            var run = new Run(new Random(random.Next()));
            for (var step = 0; step < CommandsPerHistory; step++)
            {
                try
                {
                    run.Step();
                    if (step % 12 == 0 || step == CommandsPerHistory - 1)
                        run.CompareReads();
                }
                catch (Exception failure)
                {
                    throw new InvalidOperationException($"seed {seed}, history {history}, step {step}: {failure.Message}", failure);
                }
            }
        }
    }

    /// <summary>One random history, applied to the model, to a state, and through its bytes to a second state.</summary>
    private sealed class Run(Random random)
    {
        private readonly Model _model = new();
        private readonly BucketState _state = new();
        private readonly BucketState _twin = new();
        private RandomCommands Commands => new(random, _model);

        public void Step()
        {
            var command = Commands.Next();
            var time = random.NextInt64(1_000_000);
            var watched = new RandomlyWatched(random);
            var outcome = _state.Apply(command, time, watched);
            _twin.Apply(CommandCodec.Decode(CommandCodec.Encode(command)), time, NothingWatched.Instance);

            if (command is CompactCommand compact)
                _model.Compact(compact.Through.Value, (compact.ForgetThrough ?? compact.Through).Value);
            else
                CompareOutcome((WriteCommand)command, time, outcome, watched);

            Assert.Equal(_model.Revision, _state.Revision.Value);
            Assert.Equal(_model.Compacted, _state.Compacted.Value);
            Assert.Equal(_state.Digest(), _twin.Digest());
        }

        private void CompareOutcome(WriteCommand write, long time, Outcome outcome, RandomlyWatched watched)
        {
            var status = _model.Write(write, time, out var previous, out var links);
            Assert.Equal(status, outcome.Status);
            Assert.Equal(_model.Revision, outcome.Revision.Value);
            Expect.Same(previous, outcome.Previous);
            Assert.Equal(status == ApplyStatus.Applied, outcome.Commit is not null);
            if (outcome.Commit is { } commit)
            {
                Assert.Equal(outcome.Revision, commit.Revision);
                Expect.Same(_model.Changes[^1], Assert.Single(commit.Changes));
            }

            Assert.Equal(
                links.Where(link => watched.IsWatched(link.Key)).Select(link => (link.Key.ToString(), link.Value)).Order(),
                outcome.Links.Select(link => (link.Scope.ToString(), link.Previous.Value)).Order());
        }

        public void CompareReads()
        {
            for (var at = _model.Compacted; at <= _model.Revision; at++)
                foreach (var key in RandomCommands.KeyPool)
                    Expect.Same(_model.At(key, at), _state.Get(key, new Revision(at)));
            foreach (var key in RandomCommands.KeyPool)
                Expect.Same(_model.At(key, _model.Revision), _state.Get(key));
            foreach (var scope in RandomCommands.KeyPool.SelectMany(Model.ScopesOf).Distinct())
                Assert.Equal(_model.HeadOf(scope), _state.HeadOf(scope).Value);
            for (var each = 0; each < 20; each++)
            {
                CompareScan();
                CompareHistory();
            }

            CompareOutsideOfWindow();
        }

        private void CompareScan()
        {
            var range = Commands.AnyRange();
            var at = random.NextInt64(_model.Compacted, _model.Revision + 1);
            var expected = _model.Range(range, at);
            Assert.Equal(expected.Count, _state.Count(range, new Revision(at)));

            var request = new ScanRequest
            {
                At = at == _model.Revision && random.Next(2) == 0 ? null : new Revision(at),
                KeysMax = random.Next(1, 6),
                BytesMax = random.Next(2) == 0 ? long.MaxValue : random.Next(200),
                KeysOnly = random.Next(3) == 0,
                VisitsMax = random.Next(2) == 0 ? int.MaxValue : random.Next(1, 4),
            };
            var items = new List<KeyValue>();
            for (var more = true; more;)
            {
                var page = _state.Scan(range, request);
                Assert.Equal(at, page.Revision.Value);
                Assert.True(page.Items.Count <= request.KeysMax);
                Assert.True(page.Items.Count <= 1 || page.Items.Sum(item => PageBytes.Of(item.Key, item.Value.Length)) <= request.BytesMax);
                Assert.True(page.Items.Count <= request.VisitsMax);
                Assert.True(page.Items.Count > 0 || !page.More || request.VisitsMax < int.MaxValue);
                items.AddRange(page.Items);
                more = page.More;
                if (more)
                    request = request with { After = page.Last, At = page.Revision };
            }

            Assert.Equal(expected.Count, items.Count);
            foreach (var (change, item) in expected.Zip(items))
                Expect.Same(change, item, request.KeysOnly);
        }

        private void CompareHistory()
        {
            var scope = Commands.AnyScope();
            var start = random.NextInt64(_model.Compacted, _model.Revision + 1);
            var upTo = random.NextInt64(_model.Compacted, _model.Revision + 1);
            var (changesMax, bytesMax) = (random.Next(1, 8), random.Next(2) == 0 ? long.MaxValue : random.Next(300));
            var after = new Revision(start);
            var glued = new List<Change>();
            do
            {
                var page = _state.History(scope, after, new Revision(upTo), changesMax, bytesMax);
                var changes = page.Commits.SelectMany(commit => commit.Changes).ToList();
                Assert.True(page.Commits.Count <= 1 || (changes.Count <= changesMax && changes.Sum(PageBytes.Of) <= bytesMax));
                Assert.True(page.Reached > after || after.Value >= upTo, "a page goes on");
                Assert.All(page.Commits, commit => Assert.True(commit.Revision > after && commit.Revision <= page.Reached));
                glued.AddRange(changes);
                after = page.Reached;
            }
            while (after.Value < upTo);

            var expected = _model.History(scope, start, upTo);
            Assert.Equal(expected.Count, glued.Count);
            foreach (var (change, read) in expected.Zip(glued))
                Expect.Same(change, read);
        }

        private void CompareOutsideOfWindow()
        {
            var future = new Revision(_model.Revision + 1);
            Assert.Equal(_state.Revision, Assert.Throws<RevisionNotReachedException>(() => _state.Get(Commands.AnyKey(), future)).Current);
            Assert.Throws<RevisionNotReachedException>(() => _state.History(Scope.Bucket, _state.Compacted, future, 1, 1));
            if (_model.Compacted == 0)
                return;
            var past = new Revision(_model.Compacted - 1);
            Assert.Equal(_state.Compacted, Assert.Throws<RevisionCompactedException>(() => _state.Get(Commands.AnyKey(), past)).FirstAvailable);
            Assert.Equal(
                _state.Compacted.Next,
                Assert.Throws<RevisionCompactedException>(() => _state.History(Commands.AnyScope(), past, _state.Revision, 1, 1)).FirstAvailable);
        }
    }

    private sealed class RandomlyWatched(Random random) : IWatchedScopes
    {
        private readonly int _salt = random.Next(4);

        public bool Any => _salt > 0;

        public bool IsWatched(Scope scope) => Any && (scope.Text.Length + (int)scope.Kind) % 3 < _salt;
    }
}

/// <summary>Comparing what the state answers with what the model says.</summary>
internal static class Expect
{
    public static void Same(Change? expected, KeyValue? actual, bool keysOnly = false)
    {
        Assert.Equal(expected is null, actual is null);
        if (expected is null || actual is null)
            return;
        Assert.Equal(expected.Key, actual.Key);
        Assert.Equal(keysOnly ? [] : expected.Value.ToArray(), actual.Value.ToArray());
        Assert.Equal((expected.CreateRevision, expected.Revision, expected.Version), (actual.CreateRevision, actual.ModRevision, actual.Version));
    }

    public static void Same(Change expected, Change actual)
    {
        Assert.Equal(expected.Key, actual.Key);
        Assert.Equal(expected.Value.ToArray(), actual.Value.ToArray());
        Assert.Equal(expected.PreviousValue?.ToArray(), actual.PreviousValue?.ToArray());
        Assert.Equal(
            (expected.Kind, expected.Revision, expected.CreateRevision, expected.Version, expected.CommitTimeMs),
            (actual.Kind, actual.Revision, actual.CreateRevision, actual.Version, actual.CommitTimeMs));
    }
}
