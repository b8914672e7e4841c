using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Watch.Core;
using Watch.Core.Watching;
using Watch.Interfaces;

namespace Watch.Client;

/// <summary>A batch's blocks as events: each is read once, however many watches share it.</summary>
internal sealed class BlockEvents(ImmutableArray<EventBlock> blocks)
{
    private readonly (DecodedBlock Block, ImmutableArray<WatchEvent> Events)?[] _read = new (DecodedBlock, ImmutableArray<WatchEvent>)?[blocks.Length];

    /// <summary>What a block tells.</summary>
    /// <exception cref="FormatException">The batch has no such block, or it is malformed.</exception>
    public (DecodedBlock Block, ImmutableArray<WatchEvent> Events, int Length) Of(int block)
    {
        if ((uint)block >= (uint)_read.Length)
            throw new FormatException($"A batch of {_read.Length} blocks has no block {block}.");
        var length = blocks[block].Bytes.Length;
        if (_read[block] is not { } read)
        {
            var decoded = EventCodec.Decode(blocks[block].Bytes);
            _read[block] = read = (decoded, ToEvents(decoded));
        }

        return (read.Block, read.Events, length);
    }

    private static ImmutableArray<WatchEvent> ToEvents(DecodedBlock block)
    {
        var events = new WatchEvent[block.Events.Length];
        for (var at = 0; at < events.Length; at++)
            events[at] = ToEvent(block.Events[at], block.Kind == BlockKind.Page ? WatchEventCause.Snapshot : null);
        return ImmutableCollectionsMarshal.AsImmutableArray(events);
    }

    private static WatchEvent ToEvent(in BlockEvent each, WatchEventCause? cause) => new()
    {
        Type = each.Kind == ChangeKind.Put ? WatchEventType.Put : WatchEventType.Delete,
        Key = each.Key,
        Value = each.Value,
        PreviousState = (PreviousState)(int)each.Previous.State,
        PreviousValue = each.Previous.Value,
        Revision = each.Revision,
        CreateRevision = each.CreateRevision,
        Version = each.Version,
        CommitTimeMs = each.CommitTimeMs,
        Cause = cause ?? (WatchEventCause)each.Cause,
        Position = each.Position,
        Writer = each.Writer,
    };
}
