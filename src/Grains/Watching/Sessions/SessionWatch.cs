using System.Collections.Immutable;
using Watch.Core;
using Watch.Core.Watching;
using Watch.Core.Watching.Delivery;
using Watch.Interfaces;

namespace Watch.Grains.Watching.Sessions;

/// <summary>One watch of a session: its queue on this side, its credit and its numbers. Only the session's turns use it.</summary>
internal sealed class SessionWatch(long number, ILocalWatch watch, long creditEvents, long creditBytes)
{
    private CreditAccount _credit = new(creditEvents, creditBytes);
    private long _steps;

    /// <summary>The client's number of it.</summary>
    public long Number => number;

    /// <summary>What it takes from.</summary>
    public ILocalWatch Watch => watch;

    /// <summary>Whether it stands in the ring, or is to be taken from when it gets credit. Guarded by the ring.</summary>
    public bool IsLinked { get; set; }

    /// <summary>Whether its last step was taken, or its client left it: nothing of it comes any more (I-D8).</summary>
    public bool IsDone { get; set; }

    /// <summary>Whether it waits for credit.</summary>
    public bool IsStarved { get; private set; }

    /// <summary>Takes a grant; whether the watch can go on now.</summary>
    public bool Grant(in Credit credit)
    {
        var goesOn = _credit.Grant(credit.Events, credit.Bytes) && IsStarved && !_credit.IsSpent;
        if (goesOn)
            IsStarved = false;
        return goesOn;
    }

    /// <summary>Takes what the watch may send in its turn and adds it to the batch; false where there is nothing, or no credit.</summary>
    public bool TryTake(BatchBuilder batch)
    {
        var turn = BatchPlan.TurnOf(_credit);
        // Markers and an end need no credit, but what waits before them does (I-D3).
        var (events, bytes) = turn ?? (0, 1);
        if (!watch.TryTake(events, bytes, out var items))
        {
            IsStarved = turn is null && watch.HasEvents;
            return false;
        }

        var previous = items.Previous ?? watch.Registration.Start;
        var (parts, size) = PartsOf(items, batch);
        _credit.Use(size.Events, size.Bytes);
        batch.Add(new WatchStep(number, ++_steps, previous, items.Revision ?? previous, parts), size.NewBytes);
        IsDone = items.End is not null;
        return true;
    }

    private static (ImmutableArray<StepPart> Parts, (long Events, long Bytes, long NewBytes) Size) PartsOf(WatchItems items, BatchBuilder batch)
    {
        if (items.End is { } end)
            return ([new StepPart(StepKind.End, -1, End: new EndStep((WatchEndReason)(int)end.Reason, end.Message, end.Key, end.FirstAvailable ?? default))], default);

        var parts = ImmutableArray.CreateBuilder<StepPart>(items.Parts.Count);
        long events = 0, bytes = 0, newBytes = 0;
        foreach (var part in items.Parts)
        {
            var marker = part switch
            {
                WatchPart.Events { Commit: var commit } => Block(StepKind.Events, batch.BlockOf(commit), commit.Events),
                WatchPart.Fragment piece => Block(piece.IsLast ? StepKind.LastFragment : StepKind.Fragment, batch.BlockOf(piece), piece.Count),
                WatchPart.SnapshotItems { Page: var page } => Block(StepKind.SnapshotItems, batch.BlockOf(page), page.Items.Count),
                _ => Marker(part),
            };
            parts.Add(marker);
        }

        return (parts.DrainToImmutable(), (events, bytes, newBytes));

        StepPart Block(StepKind kind, (int Block, int Length, bool IsNew) block, int count)
        {
            events += count;
            bytes += block.Length;
            newBytes += block.IsNew ? block.Length : 0;
            return new StepPart(kind, block.Block);
        }
    }

    private static StepPart Marker(WatchPart part) => part switch
    {
        WatchPart.Lagged lagged => new StepPart(StepKind.Lagged, -1, lagged.Count, lagged.UpTo.Value),
        WatchPart.SnapshotBegins begins => new StepPart(StepKind.SnapshotBegins, -1, begins.At.Value, begins.IsResync ? 1 : 0),
        WatchPart.Synced synced => new StepPart(StepKind.Synced, -1, synced.At.Value),
        WatchPart.TargetsChanged changed => new StepPart(StepKind.TargetsChanged, -1, changed.From.Value, changed.Version),
        WatchPart.Progress progress => new StepPart(StepKind.Progress, -1, progress.Revision.Value, progress.ConfirmedWallMs),
        WatchPart.Stale stale => new StepPart(StepKind.Stale, -1, stale.SilentMs),
        _ => throw new InvariantViolationException($"{part.GetType().Name} cannot travel."),
    };
}
