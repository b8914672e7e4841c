using System.Collections;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Configuration;

namespace Watch.Silo;

/// <summary>A setting is not what it may be; the message names it, its value and what is allowed.</summary>
public sealed class BadSettingException(string message) : Exception(message);

/// <summary>Where the server listens, who it is and where it keeps its data: what the program itself needs of the configuration.</summary>
public sealed class ServerSettings
{
    /// <summary>The section of the configuration that everything of Watch is in.</summary>
    public const string Section = "Watch";

    private const string EnvironmentPrefix = "WATCH_";

    private ServerSettings(IConfigurationRoot configuration)
    {
        Configuration = configuration;
        var section = configuration.GetSection(Section);
        NodeName = Text(section, "NodeName", "node1");
        DataDirectory = Path.GetFullPath(Text(section, "DataDirectory", "watch-data"));
        SiloPort = Port(section, "SiloPort", 11111);
        GatewayPort = Port(section, "GatewayPort", 30000);
        ListenAddress = Address(section, "ListenAddress", IPAddress.Loopback);
        if (SiloPort == GatewayPort)
            throw new BadSettingException($"The settings Watch:SiloPort and Watch:GatewayPort (--silo-port, --gateway-port) are both {SiloPort}; they have to differ.");

        // What the rest of the program reads is what was decided here.
        section["NodeName"] = NodeName;
        section["DataDirectory"] = DataDirectory;
        // A server with localhost clustering is alone, so it is where its cluster is born.
        section["Bootstrap"] = Text(section, "Bootstrap", NodeName);
    }

    /// <summary>All of the configuration.</summary>
    public IConfigurationRoot Configuration { get; }

    /// <summary>The node's name.</summary>
    public string NodeName { get; }

    /// <summary>The full path of the data folder.</summary>
    public string DataDirectory { get; }

    /// <summary>The port for other silos.</summary>
    public int SiloPort { get; }

    /// <summary>The port for clients.</summary>
    public int GatewayPort { get; }

    /// <summary>The address to listen on.</summary>
    public IPAddress ListenAddress { get; }

    /// <summary>
    /// Reads appsettings.json beside the program, then in the working folder, then the environment (WATCH_SETTING, or
    /// Watch__Setting), then the overrides; the later ones win.
    /// </summary>
    /// <exception cref="BadSettingException">A setting is not what it may be, or a file is no JSON.</exception>
    public static ServerSettings Read(IReadOnlyDictionary<string, string?> overrides)
    {
        try
        {
            return new ServerSettings(new ConfigurationBuilder()
                .AddJsonFile(Path.Combine(AppContext.BaseDirectory, "appsettings.json"), optional: true)
                .AddJsonFile(Path.Combine(Directory.GetCurrentDirectory(), "appsettings.json"), optional: true)
                .AddEnvironmentVariables()
                .AddInMemoryCollection(FromEnvironment(Environment.GetEnvironmentVariables()))
                .AddInMemoryCollection(overrides)
                .Build());
        }
        catch (InvalidDataException error)
        {
            throw new BadSettingException($"{error.Message} {error.InnerException?.Message}".TrimEnd());
        }
    }

    /// <summary>Fails, naming the port, where another program listens already.</summary>
    public async Task CheckPortsAsync()
    {
        await CheckPortAsync("Watch:SiloPort (--silo-port)", SiloPort);
        await CheckPortAsync("Watch:GatewayPort (--gateway-port)", GatewayPort);
    }

    private static IEnumerable<KeyValuePair<string, string?>> FromEnvironment(IDictionary variables) =>
        from DictionaryEntry each in variables
        let name = (string)each.Key
        // 'Watch__Setting' begins with the prefix, too, but is the environment's usual way to say 'Watch:Setting'.
        where name.StartsWith(EnvironmentPrefix, StringComparison.OrdinalIgnoreCase) && !name.StartsWith("WATCH__", StringComparison.OrdinalIgnoreCase)
        let setting = name[EnvironmentPrefix.Length..].Replace("__", ":", StringComparison.Ordinal)
        select KeyValuePair.Create($"{Section}:{setting}", (string?)each.Value);

    private Task CheckPortAsync(string setting, int port)
    {
        var listener = new TcpListener(ListenAddress, port);
        try
        {
            listener.Start();
            return Task.CompletedTask;
        }
        catch (SocketException error) when (error.SocketErrorCode == SocketError.AddressAlreadyInUse)
        {
            throw new BadSettingException($"Port {port} on {ListenAddress}, the setting {setting}, is in use by another program; choose a free one.");
        }
        catch (SocketException error)
        {
            throw new BadSettingException($"Nothing can listen on {ListenAddress}:{port}, the settings Watch:ListenAddress (--listen) and {setting}: {error.Message}");
        }
        finally
        {
            listener.Stop();
        }
    }

    private static string Text(IConfigurationSection section, string name, string otherwise) =>
        string.IsNullOrWhiteSpace(section[name]) ? otherwise : section[name]!;

    private static int Port(IConfigurationSection section, string name, int otherwise)
    {
        var text = section[name] ?? otherwise.ToString(CultureInfo.InvariantCulture);
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port is >= 1 and <= 65535
            ? port
            : throw new BadSettingException($"The setting {Section}:{name} is '{text}'; allowed is a port from 1 to 65535.");
    }

    private static IPAddress Address(IConfigurationSection section, string name, IPAddress otherwise)
    {
        if (section[name] is not { } text)
            return otherwise;
        return IPAddress.TryParse(text, out var address)
            ? address
            : throw new BadSettingException($"The setting {Section}:{name} is '{text}'; allowed is an IP address of this machine.");
    }
}
