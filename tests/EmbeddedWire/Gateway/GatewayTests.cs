using System.Net;
using System.Net.Sockets;
using System.Text;
using Orleans.Runtime;
using Orleans.Runtime.Messaging;
using Orleans.Serialization;
using Watch.Embedded.Runtime;
using Watch.EmbeddedWire.Tests.Serialization;
using Xunit;

namespace Watch.EmbeddedWire.Tests.Gateway;

/// <summary>A client and a silo over real loopback sockets.</summary>
public sealed class GatewayTests
{
    [Fact]
    public async Task A_call_carries_its_header_and_arguments_and_brings_back_its_result()
    {
        await using var silo = await new FakeSilo().StartAsync();
        await using var client = await new FakeClient().ConnectAsync(silo.EndPoint);
        Assert.Equal("echograin", client.Manifest["echo"]);
        var seen = new TaskCompletionSource<CallHeader>();
        var echo = silo.Handler;
        silo.Handler = (header, arguments, token) =>
        {
            seen.TrySetResult(header);
            return echo(header, arguments, token);
        };
        Assert.Equal("echo/a: hi", await client.SayAsync("hi"));
        var header = await seen.Task;
        Assert.Equal((TimeSpan.FromSeconds(30), 5), (header.Timeout, header.RequestContext!["trace"]));
        Assert.Equal(new Positional("n", 1), await client.PassAsync(new Positional("n", 1)));
        Assert.Equal("echo/b", ((GrainReference)(await client.PassAsync(EchoCalls.Reference("b")))!).GrainId.ToString());
    }

    [Fact]
    public async Task Many_calls_are_in_flight_at_once_and_large_ones_pass()
    {
        await using var silo = await new FakeSilo().StartAsync();
        await using var client = await new FakeClient().ConnectAsync(silo.EndPoint);
        var answers = await Task.WhenAll(Enumerable.Range(0, 2000).Select(i => client.SayAsync($"{i}")));
        Assert.Equal(Enumerable.Range(0, 2000).Select(i => $"echo/a: {i}"), answers);
        var large = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => client.PassAsync(new byte[3_000_000 + i])));
        Assert.Equal(Enumerable.Range(0, 8).Select(i => 3_000_000 + i), large.Select(b => ((byte[])b!).Length));
    }

    [Fact]
    public async Task What_the_grain_throws_arrives()
    {
        await using var silo = await new FakeSilo { Handler = (_, _, _) => throw new KnownException("no", null, 9) }.StartAsync();
        await using var client = await new FakeClient().ConnectAsync(silo.EndPoint);
        Assert.Equal(9, (await Assert.ThrowsAsync<KnownException>(() => client.SayAsync("x"))).Revision);
    }

    [Fact]
    public async Task What_cannot_be_sent_fails_only_its_call()
    {
        await using var silo = await new FakeSilo().StartAsync();
        await using var client = await new FakeClient().ConnectAsync(silo.EndPoint);
        await Assert.ThrowsAsync<CodecNotFoundException>(() => client.PassAsync(new Unmarked()));
        silo.Handler = (_, _, _) => new(new Unmarked());
        await Assert.ThrowsAsync<CodecNotFoundException>(() => client.PassAsync(1));
        var header = EchoCalls.Header(nameof(IEcho.Say)) with { Method = nameof(IEcho.Pass) };
        silo.Handler = (_, arguments, _) => new(arguments[0]);
        Assert.Equal(1, await client.SendAsync(header, [1], default));
    }

    [Fact]
    public async Task A_one_way_call_wants_no_answer()
    {
        var told = new TaskCompletionSource<object?>();
        await using var silo = await new FakeSilo
        {
            Handler = (_, arguments, _) =>
            {
                told.TrySetResult(arguments[0]);
                return default;
            },
        }.StartAsync();
        await using var client = await new FakeClient().ConnectAsync(silo.EndPoint);
        Assert.Null(await client.SendAsync(EchoCalls.Header(nameof(IEcho.Tell), oneWay: true), ["news"], default));
        Assert.Equal("news", await told.Task);
    }

    [Fact]
    public async Task Cancelling_ends_the_call_and_reaches_the_grain()
    {
        var started = new TaskCompletionSource();
        var cancelled = new TaskCompletionSource();
        await using var silo = await new FakeSilo
        {
            Handler = (_, _, token) =>
            {
                token.Register(() => cancelled.TrySetResult());
                started.TrySetResult();
                return new(new TaskCompletionSource<object?>().Task);
            },
        }.StartAsync();
        await using var client = await new FakeClient().ConnectAsync(silo.EndPoint);
        using var source = new CancellationTokenSource();
        var call = client.SayAsync("x", source.Token);
        await started.Task;
        await source.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        await cancelled.Task;
    }

    [Fact]
    public async Task The_silo_calls_observers_of_the_client_until_it_is_gone()
    {
        await using var silo = await new FakeSilo().StartAsync();
        var client = await new FakeClient().ConnectAsync(silo.EndPoint);
        var endpoint = await silo.Connected.Task;
        Assert.Equal("seen it", await endpoint.InvokeObserverAsync(EchoCalls.Header(nameof(IEcho.Say)), ["it", null], default));
        await client.DisposeAsync();
        Assert.Equal("client-1", await silo.Lost.Task);
        await Assert.ThrowsAsync<ClientNotAvailableException>(
            async () => await endpoint.InvokeObserverAsync(EchoCalls.Header(nameof(IEcho.Say)), ["it", null], default));
    }

    [Fact]
    public async Task A_stopping_server_says_so_and_its_successor_is_reached()
    {
        var silo = await new FakeSilo { Handler = (_, _, _) => new(new TaskCompletionSource<object?>().Task) }.StartAsync();
        await using var client = await new FakeClient().ConnectAsync(silo.EndPoint);
        await silo.Connected.Task;
        var waiting = client.SayAsync("x");
        var port = silo.EndPoint.Port;
        await silo.DisposeAsync();
        var lost = await Assert.ThrowsAsync<SiloUnavailableException>(() => waiting);
        Assert.Contains("server stopping", lost.Message, StringComparison.Ordinal);
        await client.Closed;
        await Assert.ThrowsAsync<SiloUnavailableException>(() => client.SayAsync("y"));
        await using var successor = await new FakeSilo().StartAsync(port);
        await using var again = await new FakeClient().ConnectAsync(successor.EndPoint);
        Assert.Equal("echo/a: z", await again.SayAsync("z"));
    }

    [Fact]
    public async Task Garbage_ends_its_own_connection_and_no_other()
    {
        await using var silo = await new FakeSilo().StartAsync();
        await using var client = await new FakeClient().ConnectAsync(silo.EndPoint);
        foreach (var garbage in new[] { "GET / HTTP/1.1\r\n\r\n", "\u0001\0\0\0\u0007", "\u0005\0\0\0\u0001abcd" })
        {
            using var stranger = new Socket(SocketType.Stream, ProtocolType.Tcp);
            await stranger.ConnectAsync(silo.EndPoint);
            await stranger.SendAsync(Encoding.Latin1.GetBytes(garbage));
            var buffer = new byte[1000];
            while (await ReadToEndAsync(stranger, buffer) > 0)
                continue;
        }

        Assert.Equal("echo/a: still here", await client.SayAsync("still here"));
    }

    [Fact]
    public async Task Who_is_not_the_silo_looked_for_is_told_apart()
    {
        await using var silo = await new FakeSilo().StartAsync();
        var other = await Assert.ThrowsAsync<ConnectionFailedException>(() => new FakeClient().ConnectAsync(silo.EndPoint, "another"));
        Assert.Contains("this is cluster 'cluster', the client looks for cluster 'another'", other.Message, StringComparison.Ordinal);
        var busy = await Assert.ThrowsAsync<OrleansConfigurationException>(() => new FakeSilo().StartAsync(silo.EndPoint.Port));
        Assert.Contains($"port {silo.EndPoint.Port} is in use", busy.Message, StringComparison.Ordinal);
        var port = silo.EndPoint.Port;
        await silo.DisposeAsync();
        var nobody = await Assert.ThrowsAsync<ConnectionFailedException>(() => new FakeClient().ConnectAsync(new(IPAddress.Loopback, port)));
        Assert.Contains($"127.0.0.1:{port}", nobody.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_silent_peer_is_given_up_and_a_living_one_is_not()
    {
        var (clientTime, siloTime) = (new ManualTime(), new ManualTime());
        await using var silo = await new FakeSilo().StartAsync(time: siloTime);
        await using var client = await new FakeClient().ConnectAsync(silo.EndPoint, time: clientTime);
        for (var i = 0; i < 10; i++)
        {
            clientTime.PassInterval();
            await client.SayAsync("alive");
        }

        for (var i = 0; i < 4; i++)
            clientTime.PassInterval();
        await client.Closed;
        var lost = await Assert.ThrowsAsync<SiloUnavailableException>(() => client.SayAsync("x"));
        Assert.Contains("nothing was heard", lost.Message, StringComparison.Ordinal);
    }

    private static async Task<int> ReadToEndAsync(Socket socket, byte[] buffer)
    {
        try
        {
            return await socket.ReceiveAsync(buffer);
        }
        catch (SocketException)
        {
            return 0; // closed with bytes of ours unread: as good an end as any
        }
    }
}
