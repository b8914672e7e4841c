using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Watch.ClientApp.CommandLine;

/// <summary>Where a server's gateway is, as the user wrote it.</summary>
internal sealed record ServerAddress(string Host, int Port)
{
    public static readonly ServerAddress Default = new("127.0.0.1", 30000);

    public static bool TryParse(string text, out ServerAddress address)
    {
        address = Default;
        var colon = text.LastIndexOf(':');
        if (colon < 1 || !int.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port) || port is < 1 or > 65535)
            return false;
        address = new ServerAddress(text[..colon].Trim('[', ']'), port);
        return address.Host.Length > 0;
    }

    /// <summary>The address as a socket takes it.</summary>
    public async Task<IPEndPoint> ResolveAsync(CancellationToken cancellationToken)
    {
        if (IPAddress.TryParse(Host, out var literal))
            return new IPEndPoint(literal, Port);
        try
        {
            var all = await Dns.GetHostAddressesAsync(Host, cancellationToken);
            var first = all.OrderBy(each => each.AddressFamily == AddressFamily.InterNetwork ? 0 : 1).First();
            return new IPEndPoint(first, Port);
        }
        catch (SocketException error)
        {
            throw new WatchException(WatchErrorCode.Unavailable, $"The host name of {this} could not be resolved: {error.Message}", error);
        }
    }

    public override string ToString() => Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]:{Port}" : $"{Host}:{Port}";
}
