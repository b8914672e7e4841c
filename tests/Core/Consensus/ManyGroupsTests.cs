using Watch.Core.Consensus;
using Watch.Core.Consensus.Messages;
using Watch.Core.Storage;

namespace Watch.Core.Tests.Consensus;

public sealed class ManyGroupsTests
{
    private const int Groups = 1000;

    [Fact]
    public void A_thousand_idle_groups_are_one_heartbeat_and_one_answer_per_pair_of_nodes()
    {
        var nodes = Enumerable.Range(1, 3).Select(number => new NodeId((UInt128)number)).ToArray();
        var first = Node(nodes, 0, jitter: 0);
        Node[] all = [first, Node(nodes, 1, 0.5), Node(nodes, 2, 0.9)];
        var options = new RaftOptions();
        var now = new Moment(TimeSpan.Zero, 0);
        foreach (var node in all)
            node.Start(now);

        now = new Moment(options.Promise, 0);
        first.Tick(now);
        Settle(all, now, []);
        Assert.Equal(Groups, first.Groups.Values.Count(group => group.LeadsWithOwnTermCommitted));
        Assert.Equal(now.Monotonic + options.HeartbeatInterval, first.NextDeadline);

        for (var beat = 0; beat < 10; beat++)
        {
            now = new Moment(now.Monotonic + options.HeartbeatInterval, 0);
            var parcels = new List<Parcel>();
            foreach (var node in all)
                node.Tick(now);
            Settle(all, now, parcels);
            Assert.Equal(["Heartbeat", "Heartbeat", "HeartbeatAnswer", "HeartbeatAnswer"], parcels.SelectMany(parcel => parcel.Messages).Select(message => message.GetType().Name).Order());
        }
        Assert.All(first.Groups.Keys, group => Assert.True(first.MayReadByLease(group, now)));
    }

    [Fact]
    public void Reads_of_many_groups_share_a_round()
    {
        var nodes = Enumerable.Range(1, 3).Select(number => new NodeId((UInt128)number)).ToArray();
        var first = Node(nodes, 0, jitter: 0);
        Node[] all = [first, Node(nodes, 1, 0.5), Node(nodes, 2, 0.9)];
        var now = new Moment(TimeSpan.Zero, 0);
        foreach (var node in all)
            node.Start(now);
        now = new Moment(new RaftOptions().Promise, 0);
        first.Tick(now);
        Settle(all, now, []);

        foreach (var group in first.Groups.Keys)
            Assert.Equal(first.RequestRead(group), first.RequestRead(group));
        Assert.False(first.TryTakeReadAnswer(now, out _));
        var parcels = new List<Parcel>();
        Settle(all, now, parcels);
        Assert.Equal(4, parcels.Count);
        var answered = 0;
        while (first.TryTakeReadAnswer(now, out var answer))
            answered += answer.Confirmed ? 1 : 0;
        Assert.Equal(Groups, answered);
    }

    private static Node Node(NodeId[] nodes, int self, double jitter)
    {
        var recovered = new RecoveredLog();
        for (var group = 1; group <= Groups; group++)
        {
            recovered.OnEntry(new GroupId(group), Membership.FirstEntry(nodes));
            recovered.OnHardState(new GroupId(group), new HardState(new Term(1), NodeId.None));
        }
        return new Node(new NodeIdentity($"n{self}", nodes[self]), recovered, new RaftOptions(), () => jitter);
    }

    private static void Settle(Node[] nodes, Moment now, List<Parcel> parcels)
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
                    parcels.Add(parcel);
                    nodes[(int)parcel.To.Value - 1].Step(ParcelCodec.Decode(ParcelCodec.Encode(parcel)), now);
                }
                while (node.TryCollect(batch))
                {
                    worked = true;
                    batch.Clear();
                    node.Persisted(now);
                }
                while (node.TryTakeCommitted(now, out _))
                {
                }
            }
        }
    }
}
