using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.Runtime;
using Watch.Core;
using Watch.Core.Consensus;
using Watch.Core.Keyspace;
using Watch.Grains.Nodes;

namespace Watch.Grains.Consensus;

/// <summary>
/// The replica's door: a grain service, so that it is addressed by silo, lives as long as the silo, and takes no directory or placement
/// to be found. Its calls interleave at every await; <see cref="Replica"/> says why that is harmless.
/// </summary>
internal sealed partial class ReplicaService : GrainService, IReplicaService
{
    private static readonly TimeSpan s_birthPause = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan s_silencePause = TimeSpan.FromSeconds(1);

    private readonly Replica _replica;
    private readonly IReplicaServiceClient _others;
    private readonly IClusterMembershipService _membership;
    private readonly ILocalSiloDetails _silo;
    private readonly WatchSiloOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger<ReplicaService> _logger;
    private readonly NodesDriver _nodes;
    private readonly Core.Watching.WatchRules _watching;

    public ReplicaService(
        GrainId grainId,
        Silo silo,
        ILoggerFactory loggers,
        Replica replica,
        IReplicaServiceClient others,
        IClusterMembershipService membership,
        ILocalSiloDetails details,
        IOptions<WatchSiloOptions> options,
        TimeProvider time,
        NodesDriver nodes,
        ReplicaSeams? seams = null)
        : base(grainId, silo, loggers)
    {
        _replica = replica;
        _nodes = nodes;
        _watching = (seams ?? ReplicaSeams.None).Watching;
        _others = others;
        _membership = membership;
        _silo = details;
        _options = options.Value;
        _time = time;
        _logger = loggers.CreateLogger<ReplicaService>();
    }

    public Task<NodeDescription> Describe(BucketId bucket) =>
        Task.FromResult(new NodeDescription(_replica.Node.Self.Name, _replica.Incarnation, _replica.LeadingOf(bucket) is not null, _replica.Node.Self.Id, _options.Bootstrap));

    public Task Deliver(SiloAddress silo, ImmutableArray<ReadOnlyMemory<byte>> parcels)
    {
        _replica.Hear(silo, parcels);
        return Task.CompletedTask;
    }

    public Task<MembershipReply> ChangeMembers(GroupId group, MembershipChange change)
    {
        var outcome = _replica.Change(group, change);
        _replica.Wake();
        return Task.FromResult(outcome == MembershipOutcome.NotLeader
            ? new MembershipReply { Refusal = _replica.NotLeading(group) }
            : new MembershipReply { Code = (int)outcome });
    }

    public Task<GroupDescription> DescribeGroup(GroupId group) => Task.FromResult(_replica.About(group));

    public async Task Begin()
    {
        string? said = null;
        while (true)
        {
            var question = await AskOthersAsync();
            var decision = Birth.Decide(question);
            switch (decision)
            {
                case BirthDecision.Refuse refuse:
                    throw new WatchException(WatchErrorCode.InvalidOption, refuse.Reason);
                case BirthDecision.BeBorn:
                    _replica.BeBorn();
                    _replica.Start();
                    return;
                case BirthDecision.AlreadyBorn:
                    if (await _nodes.WasRemovedAsync())
                        return;
                    StartAmong(question);
                    return;
                case BirthDecision.Wait wait when question.Others.Any(each => each.Incarnation is not null) || !string.Equals(_options.Bootstrap, _replica.Node.Self.Name, StringComparison.Ordinal):
                    // Others order the writes; this node takes its silo's calls there, and listens until it is made a member.
                    LogWaits(_logger, wait.Reason);
                    StartAmong(question);
                    return;
                case BirthDecision.Wait wait:
                    if (!string.Equals(said, wait.Reason, StringComparison.Ordinal))
                        LogWaits(_logger, said = wait.Reason);
                    await Task.Delay(s_birthPause, _time);
                    break;
            }
        }
    }

    /// <summary>Starts, and goes on asking those who were silent: what they know may be another cluster (B4 of <see cref="Birth"/>).</summary>
    private void StartAmong(BirthQuestion question)
    {
        _replica.Start();
        // Owned by this object: it ends when all have answered, or the replica has.
        if (question.Others.Any(each => !each.Answered))
            _ = AskSilentAsync();
    }

    private async Task AskSilentAsync()
    {
        try
        {
            while (_replica.Unavailable is null)
            {
                await Task.Delay(s_silencePause, _time);
                var question = await AskOthersAsync();
                if (Birth.Decide(question) is BirthDecision.Refuse refuse && question.Others.Any(each => each.Incarnation is not null))
                    _replica.Break(new WatchException(WatchErrorCode.InvalidOption, refuse.Reason));
                if (question.Others.All(each => each.Answered))
                    return;
            }
        }
        catch (Exception error)
        {
            // A silo that cannot find out where it is must not go on as if it had.
            _replica.Break(error);
        }
    }

    public Task End() => _replica.ResignAsync();

    public Task<ProposeReply> Propose(ProposeRequest request)
    {
        if (_replica.LeadingOf(request.Bucket) is not { } bucket)
            return Task.FromResult(new ProposeReply { Refusal = WhyNot(request.Bucket) });

        if (bucket.Watched.Any)
            ForgetGoneSilos(request.Bucket, bucket);
        var commands = new Command[request.Commands.Length];
        for (var at = 0; at < commands.Length; at++)
            commands[at] = CommandCodec.Decode(request.Commands[at].Span);

        var outcome = _replica.Propose(bucket.Group, request.Commands);
        if (!outcome.Accepted)
            return Task.FromResult(new ProposeReply { Refusal = WhyNot(request.Bucket, bucket.Group, outcome.Refusal) });

        var reply = bucket.WaitFor(outcome.First, outcome.Term, commands);
        _replica.Wake();
        return reply;
    }

    public Task<KeysReply> GetMany(BucketId bucket, ImmutableArray<Key> keys, ReadPolicy policy) =>
        Read(bucket, policy, leading =>
        {
            var found = keys.Select(key => leading.State.Get(key)).ToImmutableArray();
            var bytes = BytesOf(found);
            return bytes > AnswerBytesMax
                ? new KeysReply { Refusal = new Refusal(RefusalKind.TooLarge, $"The {keys.Length} keys have {bytes} bytes together; one answer holds at most {AnswerBytesMax}. Ask for fewer at once.") }
                : new KeysReply { Keys = found, Revision = leading.State.Revision };
        });

    public Task<RevisionReply> Confirm(BucketId bucket) => Answer(bucket, static leading => new RevisionReply { Revision = leading.State.Revision });

    public Task<ScanReply> Scan(BucketId bucket, ScanRequest request) => Read(bucket, request.Policy, leading =>
    {
        var page = leading.State.Scan(KeyRange.Prefix(request.Prefix), new Core.Keyspace.ScanRequest
        {
            KeysMax = request.KeysMax,
            BytesMax = PageBytesMax,
            VisitsMax = Watching.HistorySource.VisitsMax,
            KeysOnly = request.KeysOnly,
            After = request.After,
            At = request.At,
        });
        return new ScanReply { Page = new ScanResult([.. page.Items], page.Revision, page.More), GoOn = page.IsFull ? null : page.Last };
    });

    public Task<BucketStatusReply> DescribeBucket(BucketId bucket) => Answer(bucket, leading => new BucketStatusReply
    {
        Status = new StatusResult
        {
            Incarnation = _replica.Incarnation,
            Leader = _replica.Node.Self.Name,
            Term = _replica.Node.Groups[leading.Group].Term.Value,
            Revision = leading.State.Revision,
            Compacted = leading.State.Compacted,
            Keys = leading.State.LiveKeys,
            LogBytes = _replica.LogBytes,
            Index = leading.State.Applied,
        },
    });

    /// <summary>The most that one answer carries; Orleans ends at 100 MB for a message.</summary>
    public const long AnswerBytesMax = 32 << 20;

    /// <summary>What keys take in an answer, about.</summary>
    public static long BytesOf(ImmutableArray<KeyValue?> keys) => keys.Sum(each => each is null ? 0L : each.Key.Length + each.Value.Length);

    /// <summary>A page of a scan ends here; Orleans would carry more, but the page is built in one turn.</summary>
    public const long PageBytesMax = 4 << 20;

    /// <summary>
    /// Answers from the state, linearizably, if this node leads and a majority confirms it (P2 of <see cref="Replica"/>): at once where it
    /// is the only voter, since what is committed is applied in the same turn then.
    /// </summary>
    private Task<TReply> Answer<TReply>(BucketId bucket, Func<BucketReplica, TReply> answer)
        where TReply : LeaderReply, new()
    {
        if (_replica.LeadingOf(bucket) is not { } leading)
            return Task.FromResult(new TReply { Refusal = WhyNot(bucket) });
        var confirmed = _replica.ConfirmAsync(leading.Group);
        return confirmed is { IsCompleted: true, Result: true } ? Task.FromResult(AnswerNow(leading, answer)) : AnswerConfirmedAsync(bucket, confirmed, answer);
    }

    private async Task<TReply> AnswerConfirmedAsync<TReply>(BucketId bucket, ValueTask<bool> confirmed, Func<BucketReplica, TReply> answer)
        where TReply : LeaderReply, new() =>
        await confirmed && _replica.LeadingOf(bucket) is { } leading ? AnswerNow(leading, answer) : new TReply { Refusal = WhyNot(bucket) };

    /// <summary>Answers a read as its policy allows: from the state as it is, if that is fresh enough, else as the leader.</summary>
    private Task<TReply> Read<TReply>(BucketId bucket, ReadPolicy policy, Func<BucketReplica, TReply> answer)
        where TReply : LeaderReply, new()
    {
        var own = policy.Kind switch
        {
            ReadKind.Lease => _replica.LeadingByLease(bucket),
            ReadKind.Eventual => _replica.MemberOf(bucket),
            ReadKind.AtLeast when _replica.MemberOf(bucket) is { } member && member.State.Revision >= policy.Revision => member,
            _ => null,
        };
        if (own is not null)
            return Task.FromResult(AnswerNow(own, answer));
        return Answer(bucket, leading => leading.State.Revision >= policy.Revision
            ? answer(leading)
            : new TReply { Refusal = new Refusal(RefusalKind.FutureRevision, $"The bucket is at revision {leading.State.Revision}; a read at {policy.Revision} or later was asked for.") });
    }

    /// <summary>Changes what this leader remembers, which is nobody's truth: no majority has to agree.</summary>
    private Task<LeaderReply> Note(BucketId bucket, Action<BucketReplica> note)
    {
        if (_replica.LeadingOf(bucket) is not { } leading)
            return Task.FromResult(new LeaderReply { Refusal = WhyNot(bucket) });
        note(leading);
        return Task.FromResult(new LeaderReply());
    }

    private static TReply AnswerNow<TReply>(BucketReplica bucket, Func<BucketReplica, TReply> answer)
        where TReply : LeaderReply, new()
    {
        try
        {
            return answer(bucket);
        }
        catch (RevisionCompactedException error)
        {
            return new TReply { Refusal = new Refusal(RefusalKind.Compacted, error.Message, error.FirstAvailable) };
        }
        catch (RevisionNotReachedException error)
        {
            return new TReply { Refusal = new Refusal(RefusalKind.FutureRevision, error.Message) };
        }
    }

    private Refusal WhyNot(BucketId bucket, GroupId group, ProposeRefusal refusal) => refusal switch
    {
        ProposeRefusal.Busy => new Refusal(RefusalKind.Busy, "The leader has as many writes under way as it takes. Try again later."),
        ProposeRefusal.Transferring => new Refusal(RefusalKind.NotLeader, $"Node '{_replica.Node.Self.Name}' is handing the leadership of group {group} over to another voter."),
        _ => WhyNot(bucket),
    };

    private Refusal WhyNot(BucketId bucket)
    {
        var catalogue = _replica.Node.Catalogue;
        var group = catalogue.Buckets.TryGetValue(bucket, out var info) ? info.Group : GroupId.Default;
        if (_replica.Unavailable is { } unavailable && _replica.IsAlone(group))
            return unavailable;
        // What this node does not know of may have been created a moment ago; who leads the system group knows.
        return info is null && _replica.Node.Groups.TryGetValue(GroupId.System, out var system) && system.LeadsWithOwnTermCommitted
            ? new Refusal(RefusalKind.UnknownBucket, $"There is no bucket {bucket}.")
            : _replica.NotLeading(group);
    }

    /// <summary>Asks whatever lives of every silo name that membership knows whether it knows a cluster.</summary>
    private async Task<BirthQuestion> AskOthersAsync()
    {
        var names = _membership.CurrentSnapshot.Members.Values
            .Where(each => !each.SiloAddress.Equals(_silo.SiloAddress) && each.Status != SiloStatus.None)
            .GroupBy(each => each.Name, StringComparer.Ordinal)
            .OrderBy(each => each.Key, StringComparer.Ordinal);
        var answers = await Task.WhenAll(names.Select(AskNameAsync));
        return new BirthQuestion(_options.Bootstrap, _replica.Node.Self.Name, _replica.Node.Incarnation, answers, _options.BootstrapForce);
    }

    private async Task<SiloAnswer> AskNameAsync(IGrouping<string, ClusterMember> name)
    {
        var living = name.Where(each => each.Status != SiloStatus.Dead).OrderBy(each => each.SiloAddress);
        return SiloAnswer.OfName(name.Key, await Task.WhenAll(living.Select(AskAsync)));
    }

    private async Task<SiloAnswer> AskAsync(ClusterMember member)
    {
        try
        {
            var description = await _others.At(member.SiloAddress).Describe(BucketId.Default);
            UInt128? incarnation = description.Incarnation.Length == 0
                ? null
                : UInt128.Parse(description.Incarnation, System.Globalization.NumberStyles.AllowHexSpecifier, System.Globalization.CultureInfo.InvariantCulture);
            return new SiloAnswer(member.Name, true, incarnation, description.Bootstrap);
        }
        catch (Exception error) when (error is TimeoutException or OrleansException)
        {
            return new SiloAnswer(member.Name, false, null);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "{Reason}")]
    private static partial void LogWaits(ILogger logger, string reason);
}
