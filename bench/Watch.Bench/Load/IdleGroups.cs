using System.Diagnostics;
using Watch.Core;
using Watch.Core.Consensus;
using Watch.Core.Consensus.Messages;
using Watch.Core.Storage;

namespace Watch.Bench.Load;

/// <summary>
/// What three nodes with a thousand groups in which nothing happens cost: their heartbeats, encoded, decoded and answered, in Core. Time
/// is made up; what is measured is the processor's.
/// </summary>
internal static class IdleGroups
{
    private const int Groups = 1000;
    private const int Beats = 2000;

    /// <summary>The share of one processor that all three nodes take together.</summary>
    public static double MeasureShare()
    {
        var ids = Enumerable.Range(1, 3).Select(number => new NodeId((UInt128)number)).ToArray();
        Node[] nodes = [Make(ids, 0, 0), Make(ids, 1, 0.5), Make(ids, 2, 0.9)];
        var options = new RaftOptions();
        var now = new Moment(TimeSpan.Zero, 0);
        foreach (var node in nodes)
            node.Start(now);
        now = new Moment(options.Promise, 0);
        nodes[0].Tick(now);
        Settle(nodes, now);
        Beat(nodes, ref now, 100);

        var begun = Stopwatch.GetTimestamp();
        var madeUp = now.Monotonic;
        Beat(nodes, ref now, Beats);
        return Stopwatch.GetElapsedTime(begun) / (now.Monotonic - madeUp);
    }

    private static void Beat(Node[] nodes, ref Moment now, int beats)
    {
        for (var beat = 0; beat < beats; beat++)
        {
            now = new Moment(nodes.Min(node => node.NextDeadline ?? TimeSpan.MaxValue), 0);
            foreach (var node in nodes)
                node.Tick(now);
            Settle(nodes, now);
        }
    }

    private static Node Make(NodeId[] ids, int self, double jitter)
    {
        var recovered = new RecoveredLog();
        for (var group = 1; group <= Groups; group++)
        {
            recovered.OnEntry(new GroupId(group), Membership.FirstEntry(ids));
            recovered.OnHardState(new GroupId(group), new HardState(new Term(1), NodeId.None));
        }

        return new Node(new NodeIdentity($"n{self}", ids[self]), recovered, new RaftOptions(), () => jitter);
    }

    private static void Settle(Node[] nodes, Moment now)
    {
        var batch = new LogBatch();
        for (var worked = true; worked;)
        {
            worked = false;
            foreach (var node in nodes)
            {
                while (node.TryTakeParcel(now, out var parcel))
                {
                    worked = true;
                    nodes[(int)parcel.To.Value - 1].Step(ParcelCodec.Decode(ParcelCodec.Encode(parcel)), now);
                }

                while (node.TryCollect(batch))
                {
                    worked = true;
                    batch.Clear();
                    node.Persisted(now);
                }

                while (node.TryTakeCommitted(now, out _))
                    worked = true;
            }
        }
    }
}
