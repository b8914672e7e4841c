// Streams that push, on Orleans. Orleans' own memory streams keep their queues in grains somewhere in the cluster and ask them on a
// timer: an event waits for the next tick, and a silo that is frozen holds up every stream whose queue, agent or hub it has.
//
// Here the queues are the silo's own, and so is what serves them:
//
//     publisher ──► PushQueue ──► pulling agent ──► PushCache ──► hub
//                   └────────────── all on one silo ──────────────┘
//
// The agent is Orleans'. It asks PushReceiver for messages without a limit of time, so that one waits until there is something: nothing is
// polled. A silo that dies takes its own hints with it and nobody else's; one that is frozen stalls nobody. Since a silo's hubs are
// stateless workers of the same silo, several silos deliver streams of one name, each to its own hub.
//
// I-Q1  A receiver that waits returns when there is work, when it is told to stop, and after PushQueue.PatienceMax at the latest
//       (the agent forgets idle streams only between two reads): a silo that stops never waits for it.
// I-Q2  Nothing in a queue or cache is needed for correctness. Whatever is dropped is noticed by the chain and read from history.
// I-Q3  What is full drops: nobody waits, and no stream holds up another one.
//
// What the agent does while it learns of a stream that is new to it: it reads nothing else, and looks again a tick later. So the tick is
// short, and the hub, which is asked where it wants to begin, must be near and begin quickly.
//
// On Embedded streams push by themselves.
using Microsoft.Extensions.DependencyInjection;
using Orleans.Hosting;
using Orleans.Streams;
#if ENGINE_ORLEANS
using Microsoft.Extensions.Options;
using Orleans.Configuration;
#endif

namespace Watch.Grains.Engine.PushStreams;

/// <summary>Registers a stream provider that pushes.</summary>
internal static class PushStreams
{
    /// <summary>Registers it under that name, unless the host has a provider of the name already: then that one is used.</summary>
    public static void Add(ISiloBuilder builder, string name)
    {
        if (!builder.Services.Any(each => each.IsKeyedService && each.ServiceType == typeof(IStreamProvider) && Equals(each.ServiceKey, name)))
            AddNew(builder, name);
    }

    /// <summary>How many publishings one delivery to a hub carries at most.</summary>
    private const int DeliveryBatches = 64;

#if ENGINE_ORLEANS
    private static readonly TimeSpan s_tick = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan s_deliveryMax = TimeSpan.FromSeconds(5);

    // The agent looks at all its streams at each read: those that rest must go soon.
    private static readonly TimeSpan s_inactivity = TimeSpan.FromMinutes(5);

    /// <summary>Registers it under that name, with another tick for tests: the time between two reads where the first found nothing.</summary>
    internal static void AddNew(ISiloBuilder builder, string name, TimeSpan? tick = null) => builder.AddPersistentStreams(
        name,
        static (services, name) => ActivatorUtilities.CreateInstance<PushStreamFactory>(services, name, services.GetRequiredService<IOptions<WatchSiloOptions>>().Value.PushQueuesPerSilo),
        streams =>
        {
            // The hubs are the only subscribers, and they are implicit: no storage of subscriptions, no call for a new stream.
            streams.ConfigureStreamPubSub(StreamPubSubType.ImplicitOnly);
            streams.ConfigurePartitionBalancing(static (_, _) => new OwnQueuesBalancer());
            streams.ConfigurePullingAgent(agent => agent.Configure(settings =>
            {
                settings.GetQueueMsgsTimerPeriod = tick ?? s_tick;
                settings.BatchContainerBatchSize = DeliveryBatches;
                settings.MaxEventDeliveryTime = s_deliveryMax;
                settings.StreamInactivityPeriod = s_inactivity;
            }));
        });
#else
    private static void AddNew(ISiloBuilder builder, string name) => builder.AddMemoryStreams(name, streams =>
    {
        streams.ConfigureStreamPubSub(StreamPubSubType.ImplicitOnly);
        streams.ConfigurePullingAgent(agent => agent.Configure(static settings => settings.BatchContainerBatchSize = DeliveryBatches));
    });
#endif
}
