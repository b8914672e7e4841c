using System.Collections.Immutable;
using Microsoft.Extensions.Options;
using Orleans;
using Orleans.Concurrency;
using Orleans.Runtime;
using Watch.Core;
using Watch.Core.Keyspace;
using Watch.Interfaces;

namespace Watch.Grains.Consensus;

/// <summary>This silo's door to the group that orders a bucket's writes. The grain's key is <see cref="GrainKeys.OfBucket"/>.</summary>
[Alias("watch.IConsensusGrain")]
internal interface IConsensusGrain : IGrainWithStringKey
{
    /// <summary>Has a write ordered; answered when it is committed and applied.</summary>
    [Alias("Propose"), ResponseTimeout("00:00:20")]
    Task<CommandOutcome> Propose(Proposal proposal);
}

/// <summary>A write, encoded as a log entry carries it.</summary>
[GenerateSerializer, Immutable, Alias("watch.Proposal")]
internal sealed record Proposal([property: Id(0)] ReadOnlyMemory<byte> Command);

/// <summary>
/// Gathers the writes of this silo's keys and takes them to the leader in batches: while a batch is under way the next one fills, so
/// the batches are small when there is little to do and large when there is much. It has no authority: the order is the log's. A batch
/// of numbered writes that is lost goes to the next leader.
/// </summary>
/// <remarks>
/// A write that the bucket refuses because it does not remember its time took no effect in the entry that was refused. It may have in
/// another one: of another sending of the same id. Only where this grain can say that there was no other, by itself, does it say
/// <see cref="WriteStatus.TooOld"/>: then the caller needs to know of its own sendings only.
/// </remarks>
[GrainType("watch.consensus")]
[StatelessWorker(1, false)]
[Reentrant]
internal sealed class ConsensusGrain(LeaderLocator leaders, IOptions<WatchSiloOptions> options) : Grain, IConsensusGrain
{
    private const int BatchesInFlightMax = 2;
    private const int BatchCommandsMax = 512;
    private const int BatchBytesMax = 4 << 20;

    private readonly Queue<Waiting> _waiting = new();
    private BucketId _bucket;
    private int _inFlight;

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _bucket = GrainKeys.ParseBucket(this.GetPrimaryKeyString());
        return Task.CompletedTask;
    }

    public Task<CommandOutcome> Propose(Proposal proposal)
    {
        if (_waiting.Count >= options.Value.ProposalsMax)
            throw new WatchException(WatchErrorCode.Busy, $"{_waiting.Count} writes wait for the leader; at most {options.Value.ProposalsMax} may. Try again later.");

        var waiting = new Waiting(proposal.Command);
        _waiting.Enqueue(waiting);
        SendNext();
        return waiting.Outcome.Task;
    }

    private void SendNext()
    {
        while (_inFlight < BatchesInFlightMax && _waiting.Count > 0)
        {
            _inFlight++;
            // Nobody awaits the batch, but every write in it has a caller who does, and the batch ends by answering all of them.
            _ = SendAsync(TakeBatch());
        }
    }

    private List<Waiting> TakeBatch()
    {
        var batch = new List<Waiting>();
        var bytes = 0L;
        while (batch.Count < BatchCommandsMax && _waiting.TryPeek(out var next) && (batch.Count == 0 || bytes + next.Command.Length <= BatchBytesMax))
        {
            bytes += next.Command.Length;
            batch.Add(_waiting.Dequeue());
        }

        return batch;
    }

    private async Task SendAsync(List<Waiting> batch)
    {
        try
        {
            var request = new ProposeRequest(_bucket, [.. batch.Select(each => each.Command)]);
            var arrived = 0;
            var reply = await leaders.WriteAsync(_bucket, ProposeAsync, mayRepeat: batch.TrueForAll(each => CommandCodec.IsNumbered(each.Command.Span)));
            Invariant.That(reply.Outcomes.Length == batch.Count, "a batch has one outcome per write");
            for (var at = 0; at < batch.Count; at++)
                batch[at].Answer(reply.Outcomes[at], isOnlySending: arrived == 1);

            // Whatever is not refused may be in a log: the one that is answered, and those that were lost before it.
            async Task<ProposeReply> ProposeAsync(IReplicaService leader)
            {
                arrived++;
                var said = await leader.Propose(request);
                if (said.Refusal is not null)
                    arrived--;
                return said;
            }
        }
        catch (Exception error)
        {
            foreach (var each in batch)
                each.Outcome.TrySetException(error);
        }
        finally
        {
            _inFlight--;
            SendNext();
        }
    }

    private sealed class Waiting(ReadOnlyMemory<byte> command)
    {
        public ReadOnlyMemory<byte> Command { get; } = command;

        public TaskCompletionSource<CommandOutcome> Outcome { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Answer(CommandOutcome outcome, bool isOnlySending)
        {
            if (outcome.Result.Status == WriteStatus.IdTaken)
                Outcome.TrySetException(new WatchException(WatchErrorCode.InvalidOption, "The write's id was given to another write before: an id belongs to one operation, key, value and condition. Nothing was changed."));
            else if (outcome.Result.Status == WriteStatus.Unknown && isOnlySending)
                Outcome.TrySetResult(outcome with { Result = outcome.Result with { Status = WriteStatus.TooOld } });
            else
                Outcome.TrySetResult(outcome);
        }
    }
}
