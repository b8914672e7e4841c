using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using Orleans.Runtime;
using Watch.Core;
using Watch.Core.Consensus;
using Watch.Core.Consensus.Messages;

namespace Watch.Grains.Consensus;

/// <summary>What other nodes say to this one.</summary>
internal sealed partial class Replica
{
    /// <summary>Called when a node speaks that was removed from the cluster and does not know it.</summary>
    public Action<NodeId, SiloAddress>? RemovedSpoke { get; set; }

    /// <summary>How many parcels could not be read since the node started.</summary>
    public long Malformed { get; private set; }

    /// <summary>Hears what the node on a silo says.</summary>
    public void Hear(SiloAddress silo, ImmutableArray<ReadOnlyMemory<byte>> parcels)
    {
        if (!Serves)
            return;
        try
        {
            foreach (var bytes in parcels)
                Hear(silo, bytes);
            TellRoles();
        }
        catch (Exception error)
        {
            Break(error);
        }
    }

    private void Hear(SiloAddress silo, ReadOnlyMemory<byte> bytes)
    {
        Parcel parcel;
        try
        {
            parcel = ParcelCodec.Decode(bytes);
        }
        catch (MalformedParcelException error)
        {
            // Nothing of it is heard, as if it had been lost: whoever sent it asks again.
            Malformed++;
            LogMalformed(_logger, error, silo, Malformed);
            return;
        }

        if (parcel.Messages.IsEmpty)
            return;
        var from = parcel.Messages[0].From;
        if (Node.Catalogue.Removed.ContainsKey(from))
        {
            // It belongs to no group: nothing that it says concerns anybody, and its pre-votes would go on for ever.
            RemovedSpoke?.Invoke(from, silo);
            return;
        }

        _postman.Learn(from, silo);
        Node.Step(parcel, Now);
        // Entries and their acknowledgements wait for the disk anyway; everything else is answered while it works.
        if (parcel.Messages.All(message => message is AppendEntries or AppendAnswer))
            Wake();
        else
            WakeAtOnce();
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "A parcel from silo {Silo} cannot be read and is ignored; it is number {Count} since the node started")]
    private static partial void LogMalformed(ILogger logger, Exception error, SiloAddress silo, long count);
}
