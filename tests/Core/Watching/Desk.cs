using System.Text;
using Watch.Core;
using Watch.Core.Watching;

namespace Watch.Core.Tests.Watching;

/// <summary>A table and a ledger, joined by hand: nothing happens unless a test says so, except that effects are answered at once where it likes.</summary>
internal sealed class Desk
{
    private readonly List<SubscriptionId> _room = [];

    public Desk(WatchTableOptions? options = null) => Table = new WatchTable(options ?? new WatchTableOptions(), new Random(1), _room.Add);

    public WatchTable Table { get; }

    public Ledger Ledger { get; } = new();

    public long NowMs { get; set; } = 1_000;

    public BucketId Bucket => BucketId.Default;

    /// <summary>Effects that were not answered yet.</summary>
    public List<WatchEffect> Waiting { get; } = [];

    /// <summary>Of the policy Cancel, unless another is named.</summary>
    public Subscription Begin(string target, int queue = 1024, long? startAt = null, bool previous = false, long queueBytes = 1 << 20, SlowRule? whenSlow = null) => Table.Subscribe(
        new WatchSpec
        {
            Target = Target(target),
            QueueEventsMax = queue,
            QueueBytesMax = queueBytes,
            PreviousValues = previous,
            WhenSlow = whenSlow ?? SlowRule.Cancel,
            StartAt = startAt is { } at ? new Revision(at) : null,
        }, NowMs);

    /// <summary>Subscribes and answers the registration.</summary>
    public Subscription Watch(string target, int queue = 1024, long? startAt = null, bool previous = false, long queueBytes = 1 << 20, SlowRule? whenSlow = null)
    {
        var subscription = Begin(target, queue, startAt, previous, queueBytes, whenSlow);
        Answer();
        return subscription;
    }

    /// <summary>A key, or "prefix /a/", "any /a", "glob /*", "range /a /b", "all", or several of these as "/a, prefix /b/".</summary>
    public static WatchTarget Target(string target)
    {
        if (target.Contains(", ", StringComparison.Ordinal))
            return WatchTarget.Several([.. target.Split(", ").Select(Target)]);
        var words = target.Split(' ', 2);
        return words switch
        {
            ["prefix", var text] => WatchTarget.Prefix(Key.Of(text)),
            ["any", var text] => WatchTarget.AnyPrefix(Key.Of(text)),
            ["glob", var text] => WatchTarget.Glob(Key.Of(text)),
            ["range", var text] => WatchTarget.Range(Key.Of(text.Split(' ')[0]), text.Split(' ') is [_, var end] ? Key.Of(end) : null),
            ["all"] => WatchTarget.Bucket,
            _ => WatchTarget.Key(Key.Of(target)),
        };
    }

    public static Scope ScopeOf(string target) => TargetFilter.Of(Target(target)).Scope;

    public int CountOf(string target) => Table.CountOf(Bucket, ScopeOf(target));

    public void Put(string key, string? value) => Commit((key, value));

    public void Delete(string key) => Commit((key, null));

    /// <summary>Commits and delivers every message at once, in order.</summary>
    public void Commit(params (string Key, string? Value)[] writes)
    {
        foreach (var message in Ledger.Commit(writes))
            Table.Deliver(Bucket, message, NowMs);
    }

    public void Deliver(ScopeMessage message) => Table.Deliver(Bucket, message, NowMs);

    /// <summary>Asks the leader for progress until it has nothing more to say that would be asked for at once.</summary>
    public void Progress()
    {
        for (var round = 0; round < 3; round++)
        {
            var ask = Table.BeginProgress(Bucket, NowMs);
            Table.Progress(ask, Ledger.Answer(ask), NowMs);
        }
    }

    public void TickDue()
    {
        NowMs = Table.NextDeadlineMs ?? NowMs;
        Table.Tick(NowMs);
    }

    public List<WatchEffect> TakeEffects()
    {
        Waiting.AddRange(Table.TakeEffects());
        var effects = Waiting.ToList();
        Waiting.Clear();
        return effects;
    }

    /// <summary>Answers every effect, and those that follow from the answers, truthfully and in order.</summary>
    public void Answer()
    {
        for (var effects = TakeEffects(); effects.Count > 0; effects = TakeEffects())
            foreach (var effect in effects)
                Answer(effect);
    }

    public void Answer(WatchEffect effect)
    {
        switch (effect)
        {
            case WatchEffect.RegisterScope register:
                Ledger.Register(register.Scope);
                Table.Registered(register.Subscription, Ledger.Now, Ledger.CompactedThrough, Ledger.Head(register.Scope), NowMs);
                break;
            case WatchEffect.UnregisterScope unregister:
                Ledger.Watched.Unregister(unregister.Scope, Ledger.Silo);
                Table.Withdrawn(Bucket, unregister.Scope);
                break;
            case WatchEffect.Fetch { After: var after } fetch when after < Ledger.CompactedThrough:
                Table.FetchCompacted(fetch.Id, Ledger.CompactedThrough.Next, NowMs);
                break;
            case WatchEffect.Fetch fetch:
                Table.Fetched(fetch.Id, new HistoryPiece(Ledger.Truth(fetch.Scope, fetch.After, fetch.UpTo), fetch.UpTo, 0), NowMs);
                break;
        }
    }

    /// <summary>Lets replays go on whose consumers made room.</summary>
    public void ContinueReplays(bool answers = true)
    {
        foreach (var id in _room.ToArray())
            Table.Continue(id, NowMs);
        _room.Clear();
        if (answers)
            Answer();
    }

    /// <summary>Takes all there is, one event at a time, as readable words: "put /a 1 @7", "delete /a @8", "canceled /a", "ended Compacted", "lagged 3 up to @9".</summary>
    public static List<string> Read(Subscription subscription)
    {
        var words = new List<string>();
        while (subscription.TryTake(1, long.MaxValue, out var items))
        {
            words.AddRange(items.Parts.SelectMany(Words));
            if (items.End is { } end)
                words.Add(end.Reason == EndReason.Slow ? $"canceled {end.Key} cursor {end.Cursor}" : $"ended {end.Reason} cursor {end.Cursor}");
        }

        return words;
    }

    private static IEnumerable<string> Words(WatchPart part) => part switch
    {
        WatchPart.Events events => events.Commit.Changes.Select(Words),
        WatchPart.Fragment fragment => [$"changes {fragment.First} to {fragment.First + fragment.Count - 1} of @{fragment.Commit.Revision}{(fragment.IsLast ? ", the last" : "")}"],
        WatchPart.Lagged lagged => [$"lagged {lagged.Count} up to @{lagged.UpTo}"],
        WatchPart.TargetsChanged changed => [$"targets {changed.Version} from @{changed.From}"],
        WatchPart.SnapshotBegins begins => [$"{(begins.IsResync ? "resync" : "snapshot")} @{begins.At}"],
        WatchPart.SnapshotItems items => items.Page.Items.Select(item => $"has {item.Key}"),
        WatchPart.Synced synced => [$"synced @{synced.At}"],
        WatchPart.Progress progress => [$"progress @{progress.Revision} as of {progress.ConfirmedWallMs}"],
        WatchPart.Stale stale => [$"stale for {stale.SilentMs} ms"],
        _ => throw new ArgumentOutOfRangeException(nameof(part), part, "An unknown part."),
    };

    public static string Text(ReadOnlyMemory<byte> value) => Encoding.UTF8.GetString(value.Span);

    private static string Words(Change change) => change.Kind == ChangeKind.Put
        ? $"put {change.Key} {Text(change.Value)} @{change.Revision}"
        : $"delete {change.Key}{(change.Value.IsEmpty ? "" : " with a value")} @{change.Revision}";
}
