using System.Collections.Concurrent;
using Watch.Core;
using Watch.Core.Keyspace;

namespace Watch.Grains.Consensus;

/// <summary>
/// Linearizable reads of keys, many for one call: the leader is asked for the bucket's revision, confirmed by a majority after all of them
/// came, and each is answered from the own replica once that has come so far.
/// </summary>
/// <remarks>
/// Why that is linearizable: what was acknowledged before a read began was committed before the leader was asked for it, so it lies at or
/// below the revision that the leader answers, and the own replica's state is at that revision or above it. And what one read has seen,
/// a later one does not miss: a replica applies nothing that its leader has not committed.
///
/// While a question is under way, those who come gather for the next one: they must not share an answer that was asked for before they came.
/// Each question is run by the first of those who wait for it. Any thread.
/// </remarks>
internal sealed class ConfirmedReads(LeaderLocator leaders, OwnReplica own, TimeProvider time)
{
    /// <summary>How long a read waits for the own replica to catch up before it goes to the leader itself.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromMilliseconds(20);

    /// <summary>How long the own replica is not waited for after it was too slow.</summary>
    private static readonly TimeSpan s_distrust = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<BucketId, Questions> _buckets = new();

    /// <summary>A key as it is; null where this silo has no replica that is up to date, and the leader has to be asked for the key itself.</summary>
    public async ValueTask<GetResult?> TryGetAsync(BucketId bucket, Key key, CancellationToken cancellationToken)
    {
        if (own.Find(bucket) is not { } reading)
            return null;
        var questions = _buckets.GetOrAdd(bucket, static _ => new Questions());
        if (questions.LateAt is { } lateAt && time.GetElapsedTime(lateAt) < s_distrust)
            return null;
        var policy = ReadPolicy.AtLeast(await AskAsync(bucket, questions));
        if (own.TryGet(bucket, key, policy, out var found))
            return found;
        if (await reading.WaitForAsync(policy.Revision, s_patience, time, cancellationToken) && own.TryGet(bucket, key, policy, out found))
            return found;
        questions.LateAt = time.GetTimestamp();
        return null;
    }

    /// <summary>The bucket's revision as a majority confirms it after this call.</summary>
    private async ValueTask<Revision> AskAsync(BucketId bucket, Questions questions)
    {
        var question = questions.Join(out var previous);
        if (previous is not null)
        {
            await previous.Ended.Task;
            // From here on who comes has come too late for this one.
            questions.Begin(question);
            try
            {
                question.Answer = await leaders.ReadAsync(bucket, leader => leader.Confirm(bucket), CancellationToken.None);
            }
            catch (WatchException error)
            {
                question.Error = error;
            }
            finally
            {
                question.Ended.TrySetResult();
            }
        }

        await question.Ended.Task;
        if (question.Error is { } failed)
            throw new WatchException(failed.Code, failed.Message);
        return question.Answer?.Revision ?? throw new WatchException(WatchErrorCode.Unavailable, "The question to the leader was lost.");
    }

    private sealed class Question
    {
        public TaskCompletionSource Ended { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public RevisionReply? Answer { get; set; }

        public WatchException? Error { get; set; }
    }

    /// <summary>A bucket's question that is under way, and the one that gathers.</summary>
    private sealed class Questions
    {
        private readonly Lock _gate = new();
        private Question _underWay = Ended();
        private Question? _gathering;
        private long _lateAt = -1;

        /// <summary>When the own replica was last too slow; null where it never was.</summary>
        public long? LateAt
        {
            get => Volatile.Read(ref _lateAt) is var at and >= 0 ? at : null;
            set => Volatile.Write(ref _lateAt, value ?? -1);
        }

        /// <summary>The question that a read which comes now waits for. Whoever is given the one before it runs it when that has ended.</summary>
        public Question Join(out Question? previous)
        {
            lock (_gate)
            {
                previous = _gathering is null ? _underWay : null;
                return _gathering ??= new Question();
            }
        }

        public void Begin(Question question)
        {
            lock (_gate)
                (_underWay, _gathering) = (question, null);
        }

        private static Question Ended()
        {
            var ended = new Question();
            ended.Ended.SetResult();
            return ended;
        }
    }
}
