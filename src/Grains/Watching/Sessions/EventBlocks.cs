using Watch.Core;
using Watch.Core.Watching;

namespace Watch.Grains.Watching.Sessions;

/// <summary>The blocks of what watches share.</summary>
internal static class EventBlocks
{
    /// <summary>The block of a whole revision in one form.</summary>
    public static byte[] Of(SharedCommit commit) => EventCodec.Encode(BlockKind.Commit, commit.Revision, EventsOf(commit, 0, commit.Events));

    /// <summary>The block of some changes of a revision.</summary>
    public static byte[] Of(WatchPart.Fragment fragment) =>
        EventCodec.Encode(BlockKind.Fragment, fragment.Commit.Revision, EventsOf(fragment.Commit, fragment.First, fragment.Count));

    /// <summary>The block of some keys of a snapshot.</summary>
    public static byte[] Of(SharedPage page)
    {
        var events = new BlockEvent[page.Items.Count];
        for (var at = 0; at < events.Length; at++)
        {
            var each = page.Items[at];
            events[at] = new BlockEvent(ChangeKind.Put, each.Key, page.ValueOf(each), default, each.ModRevision, each.CreateRevision, each.Version, 0);
        }

        return EventCodec.Encode(BlockKind.Page, page.At, events);
    }

    private static BlockEvent[] EventsOf(SharedCommit commit, int first, int count)
    {
        var events = new BlockEvent[count];
        for (var at = 0; at < count; at++)
        {
            var each = commit.Changes[first + at];
            events[at] = new BlockEvent(each.Kind, each.Key, commit.Form.ValueOf(each), commit.Form.PreviousOf(each), each.Revision, each.CreateRevision, each.Version, each.CommitTimeMs, (ushort)each.Position, (byte)each.Cause, each.Writer);
        }

        return events;
    }
}
