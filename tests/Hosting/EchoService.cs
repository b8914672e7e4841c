// A grain service, and how to call it on a silo of one's choice.
using Microsoft.Extensions.Logging;
using Orleans.Runtime.Services;
using Orleans.Services;

namespace Watch.Hosting.Tests;

[Alias("tests.IEchoService")]
public interface IEchoService : IGrainService
{
    Task<string> Where();

    Task Hold(string name);
}

public sealed class EchoService(GrainId id, Silo silo, ILoggerFactory loggers) : GrainService(id, silo, loggers), IEchoService
{
    private readonly string _address = silo.SiloAddress.ToParsableString();

    public override Task Init(IServiceProvider serviceProvider)
    {
        Journal.Write(_address, "init");
        return base.Init(serviceProvider);
    }

    public override Task Start()
    {
        Journal.Write(_address, "start");
        return base.Start();
    }

    public override Task Stop()
    {
        Journal.Write(_address, "stop");
        return base.Stop();
    }

    public Task<string> Where() => Task.FromResult(_address);

    public async Task Hold(string name)
    {
        Signals.Set($"{name} began");
        await Signals.Wait($"{name} may end");
    }
}

public sealed class EchoServiceClient(IServiceProvider services) : GrainServiceClient<IEchoService>(services)
{
    public IEchoService On(SiloAddress silo) => GetGrainService(silo);
}
