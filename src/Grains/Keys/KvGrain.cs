using Microsoft.Extensions.Options;
using Orleans;
using Orleans.Configuration;
using Orleans.Concurrency;
using Orleans.Runtime;
using Watch.Core;
using Watch.Core.Consensus;
using Watch.Core.Keyspace;
using Watch.Grains.Consensus;
using Watch.Grains.Publishing;
using Watch.Interfaces;

namespace Watch.Grains.Keys;

/// <summary>
/// The entry point of a key's reads and writes, and the publisher of its changes. It keeps no copy of the value: the replicated state is
/// the only truth, so any number of these may exist. One per key and silo, gone soon after use.
/// </summary>
[GrainType("watch.kv")]
[StatelessWorker(1, false)]
[Reentrant]
[CollectionAgeLimit(Minutes = 2)]
internal sealed class KvGrain(Publisher publisher, LeaderLocator leaders, OwnReplica own, ConfirmedReads confirmed, IOptions<WatchSiloOptions> options) : Grain, IKvGrain
{
    private BucketId _bucket;
    private Key _key;
    private IConsensusGrain? _consensus;

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        (_bucket, _key) = GrainKeys.Parse(this.GetPrimaryKeyString());
        _consensus = GrainFactory.GetGrain<IConsensusGrain>(GrainKeys.OfBucket(_bucket));
        return Task.CompletedTask;
    }

    public Task<WriteResult> Put(PutRequest request, CancellationToken cancellationToken)
    {
        Limits.CheckKey(_key, options.Value);
        Limits.CheckValue(request.Value, options.Value);
        return Write(WriteCommand.Put(_key, request.Value, ConditionOf(request.Condition), Checked(request.WriteId), Checked(request.Writer)));
    }

    public Task<WriteResult> Delete(DeleteRequest request, CancellationToken cancellationToken)
    {
        Limits.CheckKey(_key, options.Value);
        return Write(WriteCommand.Delete(_key, ConditionOf(request.Condition), Checked(request.WriteId), Checked(request.Writer)));
    }

    public Task<GetResult> Get(ReadPolicy policy, CancellationToken cancellationToken)
    {
        Limits.CheckKey(_key, options.Value);
        Limits.CheckPolicy(policy);
        return own.TryGet(_bucket, _key, policy, out var result) ? Task.FromResult(result) : AskAsync(policy, cancellationToken);
    }

    private async Task<GetResult> AskAsync(ReadPolicy policy, CancellationToken cancellationToken)
    {
        if (policy.Kind == ReadKind.Linearizable && await confirmed.TryGetAsync(_bucket, _key, cancellationToken) is { } found)
            return found;
        var reply = await leaders.ReadAsync(_bucket, policy, replica => replica.GetMany(_bucket, [_key], policy), cancellationToken);
        return new GetResult(reply.Keys[0], reply.Revision);
    }

    private async Task<WriteResult> Write(WriteCommand command)
    {
        // Refused here and alone: further on it would share a batch with writes of others.
        var encoded = CommandCodec.Encode(command);
        if (encoded.Length > RaftGroup.CommandBytesMax)
            throw new WatchException(WatchErrorCode.ValueTooLarge, $"The write has {encoded.Length} bytes, its key, value and condition together; at most {RaftGroup.CommandBytesMax} are allowed.");
        var outcome = await _consensus!.Propose(new Proposal(encoded));
        // Offered, not awaited: what becomes of the event never delays or fails the write.
        publisher.Offer(_bucket, outcome);
        return outcome.Result;
    }

    private static WriteId? Checked(WriteId? id) => id is not { IsValid: false } wrong
        ? id
        : throw new WatchException(WatchErrorCode.InvalidOption, $"The write's id has number {wrong.Number}, oldest open number {wrong.OldestOpen} and seen index {wrong.Seen}; allowed is 1 <= oldest open <= number, and an index from 0.");

    private static string? Checked(string? writer) => writer is null || WriterName.IsValid(writer)
        ? writer
        : throw new WatchException(WatchErrorCode.InvalidOption, $"The writer's name has {writer.Length} characters; allowed are 1 to {WriterName.BytesMax} bytes of UTF-8.");

    private Condition? ConditionOf(WriteCondition? condition)
    {
        if (condition is not null)
            Limits.CheckValue(condition.ExpectedValue, options.Value);
        if (condition?.ExpectedRevision is { Value: < 0 } negative)
            throw new WatchException(WatchErrorCode.InvalidOption, $"The condition's revision is {negative}; allowed is 0 or more.");
        return Translate(condition);
    }

    private static Condition? Translate(WriteCondition? condition) => condition?.Kind switch
    {
        null => null,
        Watch.ConditionKind.Absent => Condition.Absent,
        Watch.ConditionKind.ValueEquals => Condition.ValueEquals(condition.ExpectedValue),
        Watch.ConditionKind.RevisionEquals => Condition.RevisionEquals(condition.ExpectedRevision),
        _ => throw new WatchException(WatchErrorCode.InvalidOption, $"The condition kind is {(int)condition.Kind}; allowed are {string.Join(", ", Enum.GetNames<Watch.ConditionKind>())}."),
    };
}
