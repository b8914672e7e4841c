using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Orleans;
using Orleans.Configuration;
using Orleans.Hosting;

namespace Watch.ClientApp.CommandLine;

/// <summary>A client that has reached a server. A server that is restarted behind it is found again.</summary>
internal sealed class Connection : IAsyncDisposable
{
    /// <summary>How long a server that accepts the connection may take to answer; one that is not there is noticed within a second or two.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    /// <summary>How long a farewell may take when the server is gone.</summary>
    private static readonly TimeSpan s_farewell = TimeSpan.FromSeconds(2);

    /// <summary>How long a call may take: the server's own setting, so that a server that is gone is noticed, and one that is slow is not taken for it.</summary>
    private static readonly TimeSpan s_responseTimeout = TimeSpan.FromSeconds(8);

    private readonly IHost _host;

    private Connection(IHost host)
    {
        _host = host;
        Client = host.Services.GetRequiredService<IWatchClient>();
        Cluster = host.Services.GetRequiredService<IWatchCluster>();
    }

    public IWatchClient Client { get; }

    public IWatchCluster Cluster { get; }

    /// <exception cref="WatchException">No server answered.</exception>
    public static async Task<Connection> OpenAsync(ServerAddress address, CancellationToken cancellationToken, TimeSpan? callTimeout = null)
    {
        var host = await BuildAsync(address, callTimeout, cancellationToken);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(s_patience);
        try
        {
            // The wait is bounded here: whatever the framework does with its token, the user gets an answer.
            await host.StartAsync(patience.Token).WaitAsync(patience.Token);
            return new Connection(host);
        }
        catch (Exception error) when (!cancellationToken.IsCancellationRequested)
        {
            await CloseAsync(host);
            throw new WatchException(WatchErrorCode.Unavailable, $"no Watch server answers at {address}", error);
        }
    }

    public ValueTask DisposeAsync() => CloseAsync(_host);

    private static async Task<IHost> BuildAsync(ServerAddress address, TimeSpan? callTimeout, CancellationToken cancellationToken)
    {
        var endpoints = await address.ResolveAsync(cancellationToken);
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        // What goes wrong is told by the command in its own words; the framework's log has no place on a terminal.
        builder.Logging.ClearProviders();
        builder.UseOrleansClient(client =>
        {
            client.UseStaticClustering(endpoints);
            client.Configure<GatewayOptions>(options => options.GatewayListRefreshPeriod = TimeSpan.FromSeconds(1));
            client.Configure<ClientMessagingOptions>(options => options.ResponseTimeout = s_responseTimeout);
            client.UseConnectionRetryFilter<BriefRetry>();
            client.AddWatchClient(options =>
            {
                options.BackoffMax = TimeSpan.FromSeconds(4);
                options.CallTimeout = callTimeout ?? options.CallTimeout;
            });
        });
        return builder.Build();
    }

    private static async ValueTask CloseAsync(IHost host)
    {
        using var limit = new CancellationTokenSource(s_farewell);
        try
        {
            await host.StopAsync(limit.Token).WaitAsync(limit.Token);
        }
        catch (Exception error) when (error is OperationCanceledException or Orleans.Runtime.OrleansException or AggregateException)
        {
            // A server that is gone cannot be told good-bye; the process ends in a moment anyway.
        }

        if (host is IAsyncDisposable disposable)
            await disposable.DisposeAsync();
    }

    /// <summary>A server that is just starting gets a moment.</summary>
    private sealed class BriefRetry : IClientConnectionRetryFilter
    {
        private const int AttemptsMax = 4;
        private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(250);
        private int _attempts;

        public async Task<bool> ShouldRetryConnectionAttempt(Exception exception, CancellationToken cancellationToken)
        {
            if (++_attempts >= AttemptsMax)
                return false;
            await Task.Delay(s_pause, cancellationToken);
            return true;
        }
    }
}
