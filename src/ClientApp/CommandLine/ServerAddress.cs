using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Watch.ClientApp.CommandLine;

/// <summary>Where a server's gateway is, as the user wrote it.</summary>
internal sealed record ServerAddress(string Host, int Port)
{
    /// <summary>Further gateways of the same cluster, behind commas.</summary>
    public IReadOnlyList<ServerAddress> Others { get; private init; } = [];

    public static readonly ServerAddress Default = new("127.0.0.1", 30000);

    public static bool TryParse(string text, out ServerAddress address)
    {
        var all = text.Split(',');
        if (!TryParseOne(all[0], out address))
            return false;
        var others = new List<ServerAddress>();
        foreach (var each in all[1..])
        {
            if (!TryParseOne(each, out var other))
                return false;
            others.Add(other);
        }

        address = address with { Others = others };
        return true;
    }

    private static bool TryParseOne(string text, out ServerAddress address)
    {
        address = Default;
        var colon = text.LastIndexOf(':');
        if (colon < 1 || !int.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port) || port is < 1 or > 65535)
            return false;
        address = new ServerAddress(text[..colon].Trim('[', ']'), port);
        return address.Host.Length > 0;
    }

    /// <summary>All addresses as a socket takes them.</summary>
    public async Task<IPEndPoint[]> ResolveAsync(CancellationToken cancellationToken)
    {
        List<IPEndPoint> all = [await ResolveOneAsync(cancellationToken)];
        foreach (var other in Others)
            all.Add(await other.ResolveOneAsync(cancellationToken));
        return [.. all];
    }

    private async Task<IPEndPoint> ResolveOneAsync(CancellationToken cancellationToken)
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

    public override string ToString() => string.Join(',', Others.Select(each => each.Text).Prepend(Text));

    private string Text => Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]:{Port}" : $"{Host}:{Port}";
}
