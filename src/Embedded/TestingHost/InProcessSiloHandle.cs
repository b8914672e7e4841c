// One silo of a test cluster.
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Orleans.Runtime;
using Watch.Embedded.Runtime;

namespace Orleans.TestingHost;

public abstract class SiloHandle : IDisposable, IAsyncDisposable
{
    public string Name { get; protected init; } = "";

    public short InstanceNumber { get; protected init; }

    public SiloAddress SiloAddress { get; protected init; } = SiloAddress.Zero;

    public abstract bool IsActive { get; }

    public abstract Task StopSiloAsync(bool stopGracefully);

    public abstract Task StopSiloAsync(CancellationToken ct);

    public void Dispose() => DisposeAsync().AsTask().GetAwaiter().GetResult();

    public abstract ValueTask DisposeAsync();

    public override string ToString() => $"{Name} at {SiloAddress}";
}

public class InProcessSiloHandle : SiloHandle
{
    private bool _stopped;

    internal InProcessSiloHandle(IHost host, InProcessTestSiloSpecificOptions specificOptions, short instanceNumber)
    {
        SiloHost = host;
        SpecificOptions = specificOptions;
        InstanceNumber = instanceNumber;
        Name = specificOptions.SiloName;
        SiloAddress = host.Services.GetRequiredService<ILocalSiloDetails>().SiloAddress;
    }

    public IHost SiloHost { get; init; }

    public IServiceProvider ServiceProvider => SiloHost.Services;

    public override bool IsActive => !_stopped;

    internal InProcessTestSiloSpecificOptions SpecificOptions { get; }

    public override async Task StopSiloAsync(bool stopGracefully)
    {
        if (!stopGracefully)
        {
            // Dead for the others first; then its own lifecycle runs, hurried, so that it lets go of its files.
            var node = ServiceProvider.GetRequiredService<SiloNode>();
            node.Cluster.Membership.Kill(node, freeze: false);
        }

        await StopSiloAsync(new CancellationToken(canceled: !stopGracefully));
    }

    public override async Task StopSiloAsync(CancellationToken ct)
    {
        if (_stopped)
            return;
        _stopped = true;
        try
        {
            await SiloHost.StopAsync(ct);
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            // A kill waits for nobody.
        }

        if (SiloHost is IAsyncDisposable asyncDisposable)
            await asyncDisposable.DisposeAsync();
        else
            SiloHost.Dispose();
    }

    public override async ValueTask DisposeAsync() => await StopSiloAsync(new CancellationToken(canceled: true));
}
