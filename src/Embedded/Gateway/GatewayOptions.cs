namespace Watch.Embedded.Gateway;

/// <summary>Limits and times of the gateway, equal for both ends.</summary>
public sealed record GatewayOptions
{
    /// <summary>Length of one frame in bytes; 100 MB and a little for its header unless set.</summary>
    public int FrameBytesMax { get; init; } = (100 * 1024 * 1024) + 4096;

    /// <summary>Bytes waiting to be sent from which on new calls wait; 4 MB unless set.</summary>
    public int SendQueueBytesMax { get; init; } = 4 * 1024 * 1024;

    /// <summary>
    /// Bytes waiting to be sent at which the connection is given up; 512 MB unless set. Answers do not
    /// wait for room, so a peer that asks and never reads would otherwise fill the memory.
    /// </summary>
    public int UnreadBytesMax { get; init; } = 512 * 1024 * 1024;

    /// <summary>How often each end says that it lives; 5 s unless set.</summary>
    public TimeSpan PingInterval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>After how many intervals without a byte the peer counts as dead; 3 unless set.</summary>
    public int SilentIntervalsMax { get; init; } = 3;

    /// <summary>How long a closing end waits for its peer to take notice; 1 s unless set.</summary>
    public TimeSpan LeaveTimeout { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long a connection may take to introduce itself; 10 s unless set.</summary>
    public TimeSpan HandshakeTimeout { get; init; } = TimeSpan.FromSeconds(10);
}
