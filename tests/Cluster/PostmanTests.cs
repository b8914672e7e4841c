using Microsoft.Extensions.Logging.Abstractions;
using Watch.Core;
using Watch.Core.Consensus;
using Watch.Core.Consensus.Messages;
using Watch.Core.Storage;
using Watch.Grains.Consensus;

namespace Watch.Cluster.Tests;

/// <summary>Parcels leave in order, in few calls, or are lost; nobody waits for them.</summary>
public sealed class PostmanTests
{
    private static readonly NodeId s_own = new((UInt128)1);
    private readonly FakeSilos _silos = new();

    [Fact]
    public void A_node_that_answers_nothing_holds_up_no_other_and_its_queue_is_bounded()
    {
        var (frozen, lively) = (_silos.Add(2), _silos.Add(3));
        frozen.OnDeliver = () => new TaskCompletionSource().Task;
        var postman = Postman();
        const int size = 1 << 20;
        const int parcels = 60;
        for (var at = 0; at < parcels; at++)
        {
            postman.Send(Parcel(2, size));
            postman.Send(Parcel(3, size));
        }

        Assert.Equal(parcels, lively.Delivered.Sum(call => call.Length));
        Assert.Equal(Grains.Consensus.Postman.CallsInFlightMax, frozen.Delivered.Count);
        // What is neither under way nor fits the queue is lost, and counted.
        var waits = Grains.Consensus.Postman.QueueBytesMax / size;
        Assert.InRange(postman.Lost, parcels - Grains.Consensus.Postman.CallsInFlightMax - waits, parcels - Grains.Consensus.Postman.CallsInFlightMax - waits + 2);
    }

    [Fact]
    public Task What_waits_behind_a_call_that_fails_is_dropped_and_what_is_said_then_goes_out() => TwoNodes.InTurnsAsync(async () =>
    {
        var peer = _silos.Add(2);
        var first = new TaskCompletionSource();
        peer.OnDeliver = () => first.Task;
        var postman = Postman();
        for (var at = 0; at < 10; at++)
            postman.Send(Parcel(2, 100));
        Assert.Equal(Grains.Consensus.Postman.CallsInFlightMax, peer.Delivered.Count);

        peer.OnDeliver = () => Task.CompletedTask;
        first.SetException(new TimeoutException("no answer"));
        await postman.WhenIdle();
        Assert.Equal(10, postman.Lost);
        Assert.Equal(Grains.Consensus.Postman.CallsInFlightMax, peer.Delivered.Count);

        postman.Send(Parcel(2, 100));
        Assert.Equal(Grains.Consensus.Postman.CallsInFlightMax + 1, peer.Delivered.Count);
    });

    [Fact]
    public void What_gathers_behind_calls_goes_in_one_and_in_order()
    {
        var peer = _silos.Add(2);
        var calls = new List<TaskCompletionSource>();
        peer.OnDeliver = () =>
        {
            calls.Add(new TaskCompletionSource());
            return calls[^1].Task;
        };
        var postman = Postman();
        for (var at = 0; at < 20; at++)
            postman.Send(Parcel(2, at));
        calls[0].SetResult();

        Assert.Equal([1, 1, 1, 17], peer.Delivered.Select(call => call.Length));
        Assert.Equal(Enumerable.Range(0, 20), peer.Delivered.SelectMany(call => call).Select(bytes => PayloadOf(ParcelCodec.Decode(bytes))));
    }

    [Fact]
    public void Nothing_is_sent_to_the_silo_before_the_one_where_a_node_lives_now()
    {
        var (old, current) = (_silos.Add(2), _silos.Add(3));
        var postman = Postman();
        var node = new NodeId((UInt128)3);
        postman.Learn(node, Orleans.Runtime.SiloAddress.New(FakeSilos.Address(2).Endpoint, 0));

        Assert.Equal(FakeSilos.Address(3), postman.SiloOf(node));
        postman.Send(Parcel(3, 1));
        Assert.Empty(old.Delivered);
        Assert.Single(current.Delivered);
    }

    private Postman Postman()
    {
        var postman = new Postman(_silos, _silos, _silos, TimeProvider.System, NullLogger<Postman>.Instance);
        foreach (var silo in _silos.CurrentSnapshot.Members.Keys)
            postman.Learn(new NodeId((UInt128)silo.Endpoint.Port), silo);
        return postman;
    }

    private static int PayloadOf(Parcel parcel) => ((AppendEntries)parcel.Messages[0]).Entries.Span[0].Payload.Length;

    private static Parcel Parcel(int to, int payload)
    {
        var entry = new Entry(new LogIndex(1), new Term(1), default, 0, EntryKind.Command, new byte[payload]);
        return new Parcel(new NodeId((UInt128)to), [new AppendEntries(GroupId.Default, new Term(1), s_own, default, LogIndex.None, Term.None, LogIndex.None, new[] { entry })]);
    }
}
