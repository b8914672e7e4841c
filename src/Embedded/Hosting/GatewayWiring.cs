// Where the runtime and the gateway's two ends meet.
using Microsoft.Extensions.Logging;
using Orleans.Runtime.Messaging;
using Watch.Embedded.Runtime;

namespace Watch.Embedded.Hosting;

internal static class GatewayWiring
{
    public static GatewayConnector Connector(ILoggerFactory loggers) => (_, _, _, _, _) =>
        throw new ConnectionFailedException("There is no gateway.");
}
