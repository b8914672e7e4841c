namespace Watch.Core.Watching;

/// <summary>The running counts behind <see cref="WatchStats"/>.</summary>
internal sealed class WatchCounters
{
    private readonly SortedDictionary<EndReason, long> _ended = [];
    private int _previousValueSubscriptions;

    public long EventsIn { get; set; }

    public long EventsOut { get; set; }

    public long EventsFiltered { get; set; }

    public long EventsDropped { get; set; }

    public long DuplicatesDropped { get; set; }

    public long UnwatchedDropped { get; set; }

    public long MessagesHeld { get; set; }

    public long GapsRepaired { get; set; }

    public long QuestionsFailed { get; set; }

    public long Parked { get; set; }

    public void Joined(WatchSpec spec) => _previousValueSubscriptions += spec.PreviousValues ? 1 : 0;

    public void Left(WatchSpec spec, EndReason reason)
    {
        _previousValueSubscriptions -= spec.PreviousValues ? 1 : 0;
        _ended[reason] = _ended.GetValueOrDefault(reason) + 1;
    }

    public WatchStats Snapshot(int subscriptions, int scopes) => new()
    {
        Subscriptions = subscriptions,
        PreviousValueSubscriptions = _previousValueSubscriptions,
        Scopes = scopes,
        EventsIn = EventsIn,
        EventsOut = EventsOut,
        EventsFiltered = EventsFiltered,
        EventsDropped = EventsDropped,
        DuplicatesDropped = DuplicatesDropped,
        UnwatchedDropped = UnwatchedDropped,
        MessagesHeld = MessagesHeld,
        GapsRepaired = GapsRepaired,
        QuestionsFailed = QuestionsFailed,
        Parked = Parked,
        Ended = new Dictionary<EndReason, long>(_ended),
    };
}
