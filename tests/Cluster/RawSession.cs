using Orleans;
using Watch.Core;
using Watch.Core.Watching;
using Watch.Interfaces;

namespace Watch.Cluster.Tests;

/// <summary>A session without the client library: what it is sent, as it is sent, answered as the test says.</summary>
internal sealed class RawSession : IWatchSessionObserver, IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly IGrainFactory _grains;
    private readonly IWatchSessionObserver _reference;
    private readonly List<SessionBatch> _batches = [];
    private TaskCompletionSource _more = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Func<SessionBatch, Task<SessionAck>> _answer = batch => Task.FromResult(new SessionAck(batch.Number, []));

    private RawSession(IGrainFactory grains, string id)
    {
        _grains = grains;
        _reference = grains.CreateObjectReference<IWatchSessionObserver>(this);
        Grain = grains.GetGrain<IWatchSessionGrain>(id);
    }

    public IWatchSessionGrain Grain { get; }

    public long Epoch { get; } = Random.Shared.NextInt64(1, long.MaxValue);

    /// <summary>What has come so far.</summary>
    public IReadOnlyList<SessionBatch> Batches
    {
        get
        {
            lock (_gate)
                return [.. _batches];
        }
    }

    public static async Task<RawSession> OpenAsync(IGrainFactory grains)
    {
        var session = new RawSession(grains, Guid.NewGuid().ToString("N"));
        var opened = await session.Grain.Open(new SessionHello("a test", session.Epoch), session._reference, CancellationToken.None);
        Assert.Equal(IWatchSessionGrain.LeaseSeconds * 1_000, opened.LeaseMs);
        return session;
    }

    /// <summary>From now on batches are answered by this; they are noted before.</summary>
    public void AnswerWith(Func<SessionBatch, Task<SessionAck>> answer)
    {
        lock (_gate)
            _answer = answer;
    }

    public WatchRequest Request(long watch, WatchTarget target, int credit = 1_000) =>
        new() { Watch = watch, Target = target, CreditEvents = credit, CreditBytes = 1 << 20 };

    public async Task<IReadOnlyList<RegistrationReply>> RegisterAsync(params WatchRequest[] requests) =>
        await Grain.Register(Epoch, [.. requests], CancellationToken.None);

    public Task<SessionState> RenewAsync(params Credit[] credits) => Grain.Renew(new SessionRenewal(Epoch, [.. credits], WantsAll: true));

    public Task<SessionAck> OnBatch(SessionBatch batch)
    {
        Func<SessionBatch, Task<SessionAck>> answer;
        lock (_gate)
        {
            _batches.Add(batch);
            _more.TrySetResult();
            _more = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            answer = _answer;
        }

        return answer(batch);
    }

    /// <summary>The steps of a watch so far, each batch once.</summary>
    public List<(WatchStep Step, SessionBatch Batch)> StepsOf(long watch) =>
        [.. Batches.DistinctBy(each => each.Number).SelectMany(batch => batch.Steps.Where(step => step.Watch == watch).Select(step => (step, batch)))];

    /// <summary>Waits until something holds of what has come.</summary>
    public async Task WaitForAsync(Func<RawSession, bool> holds, string what)
    {
        while (true)
        {
            Task more;
            lock (_gate)
                more = _more.Task;
            if (holds(this))
                return;
            try
            {
                await more.WaitAsync(WatchCluster.Patience);
            }
            catch (TimeoutException)
            {
                Assert.Fail($"{what} did not come; there were {Batches.Count} batches");
            }
        }
    }

    /// <summary>The first events of a watch.</summary>
    public async Task<List<BlockEvent>> EventsOfAsync(long watch, int count)
    {
        await WaitForAsync(each => each.EventsOf(watch).Count >= count, $"{count} events of watch {watch}");
        return EventsOf(watch);
    }

    /// <summary>How a watch ended.</summary>
    public async Task<EndStep> EndOfAsync(long watch)
    {
        await WaitForAsync(each => each.StepsOf(watch).Any(step => step.Step.Parts[^1].Kind == StepKind.End), $"the end of watch {watch}");
        return StepsOf(watch)[^1].Step.Parts[^1].End!;
    }

    public List<BlockEvent> EventsOf(long watch) =>
        [.. StepsOf(watch).SelectMany(each => each.Step.Parts.Where(part => part.Block >= 0).SelectMany(part => EventCodec.Decode(each.Batch.Blocks[part.Block].Bytes).Events))];

    public async ValueTask DisposeAsync()
    {
        await Grain.Close(Epoch);
        _grains.DeleteObjectReference<IWatchSessionObserver>(_reference);
        GC.KeepAlive(this);
    }
}
