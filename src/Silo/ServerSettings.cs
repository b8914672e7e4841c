using System.Collections;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Configuration;

namespace Watch.Silo;

/// <summary>A setting is not what it may be; the message names it, its value and what is allowed.</summary>
public sealed class BadSettingException(string message) : Exception(message);

/// <summary>How the silos of a cluster find each other.</summary>
public enum ClusteringKind
{
    /// <summary>Not at all: the silo is alone.</summary>
    Localhost,

    /// <summary>In a table of a database. On the Orleans engine only.</summary>
    AdoNet,
}

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
        AdvertisedAddress = Address(section, "AdvertisedAddress", ListenAddress);
        Clustering = Kind(section);
        ClusterId = Text(section, "ClusterId", "default");
        ServiceId = Text(section, "ServiceId", "default");
        AdoNetInvariant = Text(section, "AdoNetInvariant", "Npgsql");
        AdoNetConnectionString = Text(section, "AdoNetConnectionString", "");
        CheckClustering();
        if (SiloPort == GatewayPort)
            throw new BadSettingException($"The settings Watch:SiloPort and Watch:GatewayPort (--silo-port, --gateway-port) are both {SiloPort}; they have to differ.");

        // What the rest of the program reads is what was decided here.
        section["NodeName"] = NodeName;
        section["DataDirectory"] = DataDirectory;
        // A server with localhost clustering is alone, so it is where its cluster is born. Among several that has to be said.
        section["Bootstrap"] = Text(section, "Bootstrap", Clustering == ClusteringKind.Localhost ? NodeName : "");
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

    /// <summary>The address that other silos, and clients, are told to reach this one at.</summary>
    public IPAddress AdvertisedAddress { get; }

    /// <summary>How the silo finds the others.</summary>
    public ClusteringKind Clustering { get; }

    /// <summary>The name of the cluster in Orleans' membership: equal on all silos and clients.</summary>
    public string ClusterId { get; }

    /// <summary>The name of the service in Orleans' membership: equal on all silos and clients.</summary>
    public string ServiceId { get; }

    /// <summary>The invariant name of the database's ADO.NET provider.</summary>
    public string AdoNetInvariant { get; }

    /// <summary>Where the database is.</summary>
    public string AdoNetConnectionString { get; }

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

    private static ClusteringKind Kind(IConfigurationSection section)
    {
        var text = Text(section, "Clustering", nameof(ClusteringKind.Localhost));
        return Enum.TryParse<ClusteringKind>(text, ignoreCase: true, out var kind) && Enum.IsDefined(kind)
            ? kind
            : throw new BadSettingException($"The setting {Section}:Clustering is '{text}'; allowed are {string.Join(" and ", Enum.GetNames<ClusteringKind>())}.");
    }

    private void CheckClustering()
    {
        if (AdvertisedAddress.Equals(IPAddress.Any) || AdvertisedAddress.Equals(IPAddress.IPv6Any))
            throw new BadSettingException($"The setting {Section}:AdvertisedAddress is '{AdvertisedAddress}'; allowed is an address at which others reach this machine. Where ListenAddress is '{ListenAddress}' it has to be set.");
        if (Clustering != ClusteringKind.AdoNet)
            return;
        if (AdoNetConnectionString.Length == 0)
            throw new BadSettingException($"The setting {Section}:AdoNetConnectionString is empty; with {Section}:Clustering = {Clustering} it says where the database is, such as 'Host=127.0.0.1;Database=watch;Username=watch'.");
        if (AdoNetInvariant != "Npgsql")
            throw new BadSettingException($"The setting {Section}:AdoNetInvariant is '{AdoNetInvariant}'; allowed is 'Npgsql', the provider of PostgreSQL that this program has with it.");
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
