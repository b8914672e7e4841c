using Watch.Core;
using Watch.Core.Watching;
using Watch.Simulation.Tests.Checkers;
using Watch.Simulation.Tests.Faults;

namespace Watch.Simulation.Tests.Variants;

/// <summary>The deliberate defects of watching: one rule broken each, in runs with the faults that the rule is there for.</summary>
internal static class WatchDefects
{
    private static readonly FaultKind[] s_streams = [FaultKind.StreamLost, FaultKind.StreamReordered];

    /// <summary>All of them.</summary>
    public static IReadOnlyList<Variant> All { get; } =
    [
        Rule("deliver past a gap", new PastGaps(), s_streams, 60),
        Rule("take a message that was taken", new TakesAgain(), [FaultKind.StreamDuplicated], 60) with { ShowsInStandstill = true },
        Rule("go live one revision early", new LiveEarly(), [FaultKind.SessionKilled, FaultKind.StreamLost], 100),
        Rule("count nothing that was dropped", new CountsNothing(), [FaultKind.ClientFrozen, FaultKind.Freeze], 100),
        Rule("park behind what was queued", new ParksAtQueued(), [FaultKind.ClientFrozen, FaultKind.Freeze], 200),
        Rule("take the history of a replica that is behind for all there is", new TrustsWhoIsBehind(), [FaultKind.StreamLost, FaultKind.LeaderIsolated], 200) with { ShowsInStandstill = true },
        Rule("read each page of a snapshot as of another revision", new UnpinnedPages(), [FaultKind.SessionKilled, FaultKind.ClientFrozen], 200),
        Rule("call a snapshot complete behind its first page", new SyncedEarly(), [FaultKind.SessionKilled, FaultKind.ClientFrozen], 100),
        Rule("resume behind one revision more than was delivered", new ResumesLate(), [FaultKind.SessionKilled, FaultKind.StreamLost], 100) with { ShowsInStandstill = true },
    ];

    private static Variant Rule(string name, WatchRules rules, FaultKind[] faults, int seedsMax) =>
        new(name, () => new Broken(rules), 3, faults, seedsMax);

    private sealed class Broken(WatchRules rules) : Recorder
    {
        internal override WatchRules Watching => rules;
    }

    private sealed class TrustsWhoIsBehind : WatchRules
    {
        public override bool IsComplete(Revision replica, Revision upTo) => true;
    }

    private sealed class PastGaps : WatchRules
    {
        public override bool IsEarly(Revision previous, Revision cursor) => false;
    }

    private sealed class TakesAgain : WatchRules
    {
        public override bool IsLate(Revision revision, Revision cursor) => false;
    }

    private sealed class LiveEarly : WatchRules
    {
        public override bool MayGoLive(Revision cursor, Revision lastChange) => cursor.Next >= lastChange;
    }

    private sealed class ResumesLate : WatchRules
    {
        public override Revision ResumesAt(Revision cursor) => cursor.Next.Next;
    }

    private sealed class CountsNothing : WatchRules
    {
        public override bool CountsDropped => false;
    }

    private sealed class UnpinnedPages : WatchRules
    {
        public override bool PinsSnapshots => false;
    }

    private sealed class SyncedEarly : WatchRules
    {
        public override bool SyncsAfterLastPage => false;
    }

    private sealed class ParksAtQueued : WatchRules
    {
        public override bool ParksAtTaken => false;
    }
}
