// The options of Orleans that this host heeds.
using System.Net;
using Orleans.Streams;

namespace Orleans
{
    /// <summary>Checked when the silo starts; throws OrleansConfigurationException.</summary>
    public interface IConfigurationValidator
    {
        void ValidateConfiguration();
    }
}

namespace Orleans.Configuration
{
    public class ClusterOptions
    {
        public const string DefaultClusterId = "default";
        public const string DefaultServiceId = "default";

        public string ClusterId { get; set; } = DefaultClusterId;

        public string ServiceId { get; set; } = DefaultServiceId;

        /// <summary>What localhost clustering names the cluster: as Orleans, it leaves the names alone unless it is given others than its own defaults.</summary>
        internal void NameForDevelopment(string serviceId, string clusterId)
        {
            if (serviceId == "dev" && clusterId == "dev")
                return;
            (ServiceId, ClusterId) = (serviceId, clusterId);
        }
    }

    public class SiloOptions
    {
        public string SiloName { get; set; } = "";
    }

    public class EndpointOptions
    {
        public const int DEFAULT_SILO_PORT = 11111;
        public const int DEFAULT_GATEWAY_PORT = 30000;

        public IPAddress AdvertisedIPAddress { get; set; } = IPAddress.Loopback;

        public int SiloPort { get; set; } = DEFAULT_SILO_PORT;

        /// <summary>0: no gateway.</summary>
        public int GatewayPort { get; set; } = DEFAULT_GATEWAY_PORT;

        public IPEndPoint? SiloListeningEndpoint { get; set; }

        public IPEndPoint? GatewayListeningEndpoint { get; set; }
    }

    public abstract class MessagingOptions
    {
        public TimeSpan ResponseTimeout { get; set; } = TimeSpan.FromSeconds(30);
    }

    public class SiloMessagingOptions : MessagingOptions;

    public class ClientMessagingOptions : MessagingOptions;

    public class GatewayOptions
    {
        public const int DEFAULT_PREFERED_GATEWAY_INDEX = -1;

        /// <summary>How often a client that lost its silo looks for one again, at most.</summary>
        public TimeSpan GatewayListRefreshPeriod { get; set; } = TimeSpan.FromMinutes(1);

        public int PreferredGatewayIndex { get; set; } = DEFAULT_PREFERED_GATEWAY_INDEX;
    }

    public class StaticGatewayListProviderOptions
    {
        public List<Uri> Gateways { get; set; } = [];
    }

    public class GrainCollectionOptions
    {
        public static readonly TimeSpan DEFAULT_COLLECTION_QUANTUM = TimeSpan.FromMinutes(1);
        public static readonly TimeSpan DEFAULT_ACTIVATION_TIMEOUT = TimeSpan.FromSeconds(30);
        public static readonly TimeSpan DEFAULT_DEACTIVATION_TIMEOUT = TimeSpan.FromSeconds(30);

        public TimeSpan CollectionAge { get; set; } = TimeSpan.FromMinutes(15);

        public TimeSpan CollectionQuantum { get; set; } = DEFAULT_COLLECTION_QUANTUM;

        public TimeSpan ActivationTimeout { get; set; } = DEFAULT_ACTIVATION_TIMEOUT;

        public TimeSpan DeactivationTimeout { get; set; } = DEFAULT_DEACTIVATION_TIMEOUT;
    }

    public class StreamPullingAgentOptions
    {
        public static readonly int DEFAULT_BATCH_CONTAINER_BATCH_SIZE = 1;
        public static readonly TimeSpan DEFAULT_GET_QUEUE_MESSAGES_TIMER_PERIOD = TimeSpan.FromMilliseconds(100);

        /// <summary>How many publishings one delivery may bring.</summary>
        public int BatchContainerBatchSize { get; set; } = DEFAULT_BATCH_CONTAINER_BATCH_SIZE;

        /// <summary>Accepted for Orleans' sake: here nothing polls.</summary>
        public TimeSpan GetQueueMsgsTimerPeriod { get; set; } = DEFAULT_GET_QUEUE_MESSAGES_TIMER_PERIOD;

        /// <summary>Accepted for Orleans' sake: here a delivery has the response timeout of its silo.</summary>
        public TimeSpan MaxEventDeliveryTime { get; set; } = TimeSpan.FromMinutes(1);

        /// <summary>Accepted for Orleans' sake: here an idle stream has no state.</summary>
        public TimeSpan StreamInactivityPeriod { get; set; } = TimeSpan.FromMinutes(30);

        public TimeSpan InitQueueTimeout { get; set; } = TimeSpan.FromSeconds(5);
    }

    public class StreamPubSubOptions
    {
        public const StreamPubSubType DEFAULT_STREAM_PUBSUB_TYPE = StreamPubSubType.ExplicitGrainBasedAndImplicit;

        public StreamPubSubType PubSubType { get; set; } = DEFAULT_STREAM_PUBSUB_TYPE;
    }
}
