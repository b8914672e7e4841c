using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;
using Orleans.Configuration;
using Orleans.Hosting;
using Watch.Grains;
using Watch.Silo.Engine;

namespace Watch.Silo;

/// <summary>The server as a host: one silo with Watch in it.</summary>
public static class ServerHost
{
    /// <summary>
    /// How long a call may take. A client that waits for a watch's next event asks anew twice in that time, and so notices within it
    /// that its server is gone.
    /// </summary>
    private static readonly TimeSpan s_responseTimeout = TimeSpan.FromSeconds(8);

    /// <summary>Builds the host; nothing runs or listens yet.</summary>
    public static IHost Build(ServerSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Configuration.AddConfiguration(settings.Configuration);
        AddLogging(builder.Logging, settings.Configuration);
        builder.UseOrleans(silo =>
        {
            Clustering.Use(silo, settings);
            DeclaredDead.Use(silo);
            silo.Configure<SiloOptions>(options => options.SiloName = settings.NodeName);
            silo.Configure<SiloMessagingOptions>(options => options.ResponseTimeout = s_responseTimeout);
            silo.AddWatch();
        });
        return builder.Build();
    }

    private static string EngineText => EngineInfo.Reason.Length == 0 ? EngineInfo.Name : $"{EngineInfo.Name} ({EngineInfo.Reason})";

    /// <summary>The one line on standard output that says that the server can be used.</summary>
    public static string ReadyLine(ServerSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        var address = settings.AdvertisedAddress;
        return $"watch: ready node={settings.NodeName} gateway={address}:{settings.GatewayPort} silo={address}:{settings.SiloPort} engine={EngineText} data={settings.DataDirectory}";
    }

    private static void AddLogging(ILoggingBuilder logging, IConfiguration configuration)
    {
        // Standard output belongs to the ready line; and a start that fails is told once, in words, by the program itself.
        logging.AddConfiguration(configuration.GetSection("Logging"));
        logging.AddSimpleConsole(options => options.SingleLine = true);
        logging.Services.Configure<ConsoleLoggerOptions>(options => options.LogToStandardErrorThreshold = LogLevel.Trace);
        logging.AddFilter("Microsoft.Extensions.Hosting", LogLevel.None);
        logging.AddFilter("Orleans.Runtime.Silo", LogLevel.None);
        logging.AddFilter("Orleans.Runtime.SiloLifecycleSubject", LogLevel.None);
    }
}
