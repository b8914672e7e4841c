namespace Watch.Grains;

/// <summary>
/// Settings of Watch on a silo. They are checked when the silo starts: a bad one stops it, with a message that names the setting,
/// its value and what is allowed.
/// </summary>
public sealed class WatchSiloOptions
{
    /// <summary>The longest key that a limit can allow, in bytes: keys are parts of grain ids.</summary>
    public const int KeyBytesLimit = 4096;

    /// <summary>The largest value that a limit can allow, in bytes.</summary>
    public const int ValueBytesLimit = 16 << 20;

    /// <summary>The folder of this node's identity and log; it is created where it does not exist. No default.</summary>
    public string DataDirectory { get; set; } = "";

    /// <summary>This node's name; empty for the silo's name. It is part of the identity kept in the data folder.</summary>
    public string NodeName { get; set; } = "";

    /// <summary>
    /// The name of the node on which the cluster is born, once, equal on all silos. Empty: no cluster is ever born here, and a node
    /// with an empty folder waits for one.
    /// </summary>
    public string Bootstrap { get; set; } = "";

    /// <summary>Let the cluster be born although another silo did not answer that it knows none. For an operator who knows better. Default no.</summary>
    public bool BootstrapForce { get; set; }

    /// <summary>
    /// A node with a new folder asks by itself to be added to the cluster that others know, and replaces an old node of its name. Default
    /// no: an operator adds it.
    /// </summary>
    public bool Join { get; set; }

    /// <summary>The longest key, in bytes: 1 to 4,096. Default 4,096.</summary>
    public int KeyBytesMax { get; set; } = KeyBytesLimit;

    /// <summary>The largest value, in bytes: 1 to 16 MiB. Default 1 MiB.</summary>
    public int ValueBytesMax { get; set; } = 1 << 20;

    /// <summary>How many writes may wait in one silo for the leader before more are refused with Busy: 1 to 1,000,000. Default 10,000.</summary>
    public int ProposalsMax { get; set; } = 10_000;

    /// <summary>How many bytes of writes may wait in one silo for the leader before more are refused with Busy: 1 MiB or more; one write may go beyond it. Default 256 MiB.</summary>
    public long ProposalsBytesMax { get; set; } = 256L << 20;

    /// <summary>How many revisions of history are kept for replay: 1,000 or more. Default 1,000,000.</summary>
    public long HistoryRevisionsMax { get; set; } = 1_000_000;

    /// <summary>How many bytes of history are kept for replay: 1 MiB or more. Default 512 MiB.</summary>
    public long HistoryBytesMax { get; set; } = 512L << 20;

    /// <summary>
    /// How old history may become before it is given up, by the time of the log, which stands still while nobody leads: 1 s to 10 years.
    /// Null, the default: history has no age.
    /// </summary>
    public TimeSpan? HistoryAgeMax { get; set; }

    /// <summary>After how many entries a group's state is written to a snapshot, so that the log before it can go: 100 to 100,000,000. Default 200,000.</summary>
    public int SnapshotEntries { get; set; } = 200_000;

    /// <summary>After how many bytes of the log a group's state is written to a snapshot: 64 KiB or more. Default 64 MiB.</summary>
    public long SnapshotBytes { get; set; } = 64L << 20;

    /// <summary>Whether this silo serves watches. Without, a registration is refused and no watch work is done. Default yes.</summary>
    public bool WatchEnabled { get; set; } = true;

    /// <summary>How many watches this silo serves: 1 to 10,000,000. Default 100,000.</summary>
    public int WatchersMax { get; set; } = 100_000;

    /// <summary>How many of them one session, which is one client outside the cluster, has at most: 1 to 10,000,000. Default 100,000.</summary>
    public int WatchesPerSessionMax { get; set; } = 100_000;

    /// <summary>
    /// How long a session lives without a word from its client: 5 s to 10 min. It ends its watches then, and a client that was only away
    /// resumes them elsewhere. Clients renew it three times as often. Default 30 s.
    /// </summary>
    public TimeSpan SessionLease { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How many events a watch's queue holds unless it asks otherwise: 1 to 1,000,000. Default 1,024.</summary>
    public int QueueEventsDefault { get; set; } = 1024;

    /// <summary>How many bytes of events a watch's queue holds: 64 KiB to 1 GiB. Default 16 MiB.</summary>
    public long QueueBytesMax { get; set; } = 16L << 20;

    /// <summary>How many events wait in this silo to be published before more are dropped (and repaired from history): 1 to 10,000,000. Default 100,000.</summary>
    public int PublishQueueEventsMax { get; set; } = 100_000;

    /// <summary>How many bytes of events wait in this silo to be published before more are dropped (and repaired from history): 1 MiB or more. Default 256 MiB.</summary>
    public long PublishQueueBytesMax { get; set; } = 256L << 20;

    /// <summary>How many events wait in this silo for one other silo before the oldest are dropped (and repaired from history): 64 to 1,000,000. Default 8,192.</summary>
    public int ForwardEventsMax { get; set; } = 8_192;

    /// <summary>How many bytes of events wait in this silo for one other silo before the oldest are dropped (and repaired from history): 1 MiB or more. Default 32 MiB.</summary>
    public long ForwardBytesMax { get; set; } = 32L << 20;

    /// <summary>
    /// Over how many queues of its own a silo on Orleans spreads the streams that it publishes to: 1 to 64. Default 4. Without effect on
    /// Embedded, and where the host has registered a stream provider named <c>watch</c>, which is then used.
    /// </summary>
    public int PushQueuesPerSilo { get; set; } = 4;

    /// <summary>How long an early event waits for a missing one before that is read from history, 0 to 1 s. Default 5 ms.</summary>
    public TimeSpan Hold { get; set; } = TimeSpan.FromMilliseconds(5);

    /// <summary>How many pages of history or of a snapshot this silo reads at once for watches that are behind: 1 to 1,024. Others wait for their turn. Default 4.</summary>
    public int FetchesInFlightMax { get; set; } = 4;

    /// <summary>
    /// How many pages of history this silo reads at once for keys and prefixes of which it missed changes, which everybody live there waits
    /// for: 1 to 1,024. Others wait for their turn. Default 16.
    /// </summary>
    public int RepairsInFlightMax { get; set; } = 16;

    /// <summary>How many bytes a page of history has at most: 64 bytes to 16 MiB. A page has one revision, or a part of it, at least. Default 1 MiB.</summary>
    public long FetchPageBytes { get; set; } = 1L << 20;

    /// <summary>How many bytes a page of a snapshot has at most: 64 bytes to 16 MiB. A page has one key at least. Default 1 MiB.</summary>
    public long SnapshotPageBytes { get; set; } = 1L << 20;

    /// <summary>How often a silo with watches asks the leader whether it missed anything: 50 ms to 1 min. Default 1 s.</summary>
    public TimeSpan ProgressInterval { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// How long the last change of a scope is remembered behind the compaction that dropped it: 10 s to 1 day, and no less than twice
    /// <see cref="ProgressInterval"/>. A silo that could not ask the leader for longer may have to tell its quiet watches that history no
    /// longer has what they need. A watch's own deadline for being stale is at most half of it. Default 2 min.
    /// </summary>
    public TimeSpan ForgetScopesAfter { get; set; } = TimeSpan.FromMinutes(2);

    /// <summary>How long a request looks for the leader before it fails with NoQuorum: 100 ms to 5 min. Default 5 s.</summary>
    public TimeSpan LeaderTimeout { get; set; } = TimeSpan.FromSeconds(5);
}
