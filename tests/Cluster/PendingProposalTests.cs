using Watch.Core;
using Watch.Core.Keyspace;
using Watch.Core.Storage;
using Watch.Grains;
using Watch.Grains.Consensus;
using Xunit.Abstractions;

namespace Watch.Cluster.Tests;

/// <summary>What became of a write is answered by the entry that commits in its place, or not at all.</summary>
public sealed class PendingProposalTests(ITestOutputHelper output)
{
    private const int Seeds = 300;

    [Fact]
    public async Task A_write_whose_place_another_leaders_entry_takes_is_unknown_and_the_other_write_is_applied()
    {
        var bucket = new BucketReplica(GroupId.Default, new WatchSiloOptions());
        var mine = Put("/k", "mine");
        var reply = bucket.WaitFor(new LogIndex(1), new Term(1), [mine]);

        bucket.Apply([EntryOf(1, 2, Put("/k", "theirs"))]);

        Assert.Equal(WatchErrorCode.OutcomeUnknown, (await Assert.ThrowsAsync<WatchException>(() => reply)).Code);
        Assert.Equal("theirs", bucket.State.Get(Key.Of("/k"))!.Value.Text());
    }

    [Fact]
    public async Task A_batch_that_commits_in_part_is_unknown_as_a_whole()
    {
        var bucket = new BucketReplica(GroupId.Default, new WatchSiloOptions());
        Command[] mine = [Put("/a", "1"), Put("/b", "1")];
        var reply = bucket.WaitFor(new LogIndex(1), new Term(1), mine);

        bucket.Apply([EntryOf(1, 1, mine[0])]);
        Assert.False(reply.IsCompleted);
        bucket.Apply([EntryOf(2, 2, Put("/b", "theirs"))]);

        Assert.Equal(WatchErrorCode.OutcomeUnknown, (await Assert.ThrowsAsync<WatchException>(() => reply)).Code);
    }

    [Fact]
    public async Task When_leadership_is_lost_whoever_waits_is_told_and_what_a_later_term_took_goes_on()
    {
        var bucket = new BucketReplica(GroupId.Default, new WatchSiloOptions());
        var lost = bucket.WaitFor(new LogIndex(1), new Term(1), [Put("/a", "1")]);
        var later = bucket.WaitFor(new LogIndex(2), new Term(3), [Put("/b", "3")]);

        bucket.LeadershipEnded(new Term(3));

        Assert.Equal(WatchErrorCode.OutcomeUnknown, (await Assert.ThrowsAsync<WatchException>(() => lost)).Code);
        bucket.Apply([EntryOf(1, 2, Put("/a", "2")), EntryOf(2, 3, Put("/b", "3"))]);
        Assert.Equal(new Revision(2), Assert.Single((await later).Outcomes).Result.Revision);
    }

    [Fact]
    public void Whatever_leaders_come_and_go_no_write_is_answered_wrongly()
    {
        var first = FirstSeed();
        for (var seed = first; seed < first + Seeds; seed++)
            Assert.Null(WrongIn(seed, ReplicaRules.Kept));
    }

    [Fact]
    public void Without_the_look_at_terms_the_same_test_finds_a_wrong_answer()
    {
        var first = FirstSeed();
        var wrong = Enumerable.Range(first, Seeds).Select(seed => WrongIn(seed, new LooksAtIndexOnly())).FirstOrDefault(each => each is not null);
        Assert.NotNull(wrong);
        output.WriteLine($"found: {wrong}");
    }

    [Fact]
    public void Lost_leadership_ends_the_naming_of_watchers()
    {
        Assert.Empty(SilosNamedAfterLostLeadership(ReplicaRules.Kept));
        Assert.NotEmpty(SilosNamedAfterLostLeadership(new RemembersWatchers()));
    }

    private static IEnumerable<string> SilosNamedAfterLostLeadership(ReplicaRules rules)
    {
        var bucket = new BucketReplica(GroupId.Default, new WatchSiloOptions(), rules: rules);
        bucket.Watched.Register(Scope.OfKey(Key.Of("/k")), "silo", default);
        bucket.LeadershipEnded(new Term(2));
        return bucket.Watched.Silos(Scope.OfKey(Key.Of("/k")));
    }

    private int FirstSeed()
    {
        var first = Environment.GetEnvironmentVariable("WATCH_TEST_SEED") is { Length: > 0 } given
            ? int.Parse(given, System.Globalization.CultureInfo.InvariantCulture)
            : Environment.ProcessId;
        output.WriteLine($"{Seeds} seeds from {first} (again with WATCH_TEST_SEED={first})");
        return first;
    }

    /// <summary>What is wrong after this seed's course of events; null where nothing is.</summary>
    private static string? WrongIn(int seed, ReplicaRules rules)
    {
        var run = new Course(new Random(seed), rules);
        try
        {
            run.Run();
        }
        catch (Exception error) when (error is not WatchException)
        {
            return $"seed {seed}: {error.Message}";
        }

        return run.Judge() is { } wrong ? $"seed {seed}: {wrong}" : null;
    }

    private static WriteCommand Put(string key, string value) => WriteCommand.Put(Key.Of(key), Watching.Bytes(value));

    private static Entry EntryOf(long index, long term, Command command) =>
        new(new LogIndex(index), new Term(term), default, 0, EntryKind.Command, CommandCodec.Encode(command));

    private sealed class LooksAtIndexOnly : ReplicaRules
    {
        public override bool IsOvertaken(LogIndex first, Term term, Entry entry) => false;
    }

    private sealed class RemembersWatchers : ReplicaRules
    {
        public override bool ForgetsWatchers => false;
    }

    /// <summary>
    /// A log in which this node and another lead in turn, cutting what the one before did not commit; sometimes the node hears of its lost
    /// leadership only after entries of the next leader were applied.
    /// </summary>
    private sealed class Course(Random random, ReplicaRules rules)
    {
        private readonly BucketReplica _bucket = new(GroupId.Default, new WatchSiloOptions(), rules: rules);
        private readonly List<Entry> _log = [];
        private readonly List<(Task<ProposeReply> Reply, long First, Term Term, string[] Values)> _asked = [];
        private long _term = 1;
        private int _committed;
        private int _value;

        public void Run()
        {
            for (var step = 0; step < 60; step++)
            {
                switch (random.Next(4))
                {
                    case 0:
                        ChangeLeader();
                        break;
                    case 1:
                        Commit();
                        break;
                    default:
                        Write();
                        break;
                }
            }
        }

        public string? Judge()
        {
            var truth = new BucketState();
            foreach (var entry in _log.Take(_committed))
                truth.Apply(CommandCodec.Decode(entry.Payload.Span), AppliedAt.Of(entry), NothingWatched.Instance);
            if (truth.Digest() != _bucket.State.Digest())
                return "the state is not what the committed entries make";
            foreach (var (reply, first, term, values) in _asked)
            {
                if (reply.IsCompletedSuccessfully && !IsOwn(reply.Result, first, term, values))
                    return $"a write at {first} in term {term} was answered as done though another one stands there";
            }

            return null;
        }

        /// <summary>This node's every second term is its own.</summary>
        private bool Leads => _term % 2 == 1;

        private bool IsOwn(ProposeReply reply, long first, Term term, string[] values)
        {
            for (var at = 0; at < values.Length; at++)
            {
                var index = (int)first - 1 + at;
                if (index >= _committed || _log[index].Term != term)
                    return false;
                var change = _bucket.State.History(Scope.Bucket, reply.Outcomes[at].Result.Revision.Previous, reply.Outcomes[at].Result.Revision, 1, 1 << 20).Commits.Single().Changes.Single();
                if (change.Value.Text() != values[at])
                    return false;
            }

            return true;
        }

        private void ChangeLeader()
        {
            var wasMine = Leads;
            _term++;
            var kept = random.Next(_committed, _log.Count + 1);
            _log.RemoveRange(kept, _log.Count - kept);
            // A node that comes to lead knows that before it takes writes; of losing the lead it may hear late.
            if (!wasMine || random.Next(2) == 0)
                _bucket.LeadershipEnded(new Term(_term));
        }

        private void Write()
        {
            var first = _log.Count + 1;
            var values = Enumerable.Range(0, random.Next(1, 4)).Select(_ => $"{++_value}").ToArray();
            var commands = values.Select(value => Put($"/{random.Next(3)}", value)).ToArray();
            for (var at = 0; at < commands.Length; at++)
                _log.Add(EntryOf(first + at, _term, commands[at]));
            if (Leads)
                _asked.Add((_bucket.WaitFor(new LogIndex(first), new Term(_term), commands), first, new Term(_term), values));
        }

        private void Commit()
        {
            var upTo = random.Next(_committed, _log.Count + 1);
            _bucket.Apply(_log.GetRange(_committed, upTo - _committed).ToArray());
            _committed = upTo;
        }
    }
}
