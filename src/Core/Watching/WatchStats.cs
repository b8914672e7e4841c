namespace Watch.Core.Watching;

/// <summary>What one silo's watching holds and has done since it started.</summary>
public sealed record WatchStats
{
    /// <summary>Subscriptions in the table.</summary>
    public required int Subscriptions { get; init; }

    /// <summary>Of these, how many asked for previous values.</summary>
    public required int PreviousValueSubscriptions { get; init; }

    /// <summary>Watched scopes, of all buckets.</summary>
    public required int Scopes { get; init; }

    /// <summary>Changes dispatched, counted once each.</summary>
    public required long EventsIn { get; init; }

    /// <summary>Changes put into queues, counted once per subscription.</summary>
    public required long EventsOut { get; init; }

    /// <summary>Dispatched changes that live subscriptions left out, by their targets or filters, counted once per subscription.</summary>
    public required long EventsFiltered { get; init; }

    /// <summary>Changes that policies dropped from queues, or let newer ones overtake, counted once per subscription.</summary>
    public required long EventsDropped { get; init; }

    /// <summary>Messages of a revision that the scope had already.</summary>
    public required long DuplicatesDropped { get; init; }

    /// <summary>Messages of a scope that nobody here watches.</summary>
    public required long UnwatchedDropped { get; init; }

    /// <summary>Early messages that were held until the missing one came.</summary>
    public required long MessagesHeld { get; init; }

    /// <summary>Times that a scope got changes from history that no message had brought.</summary>
    public required long GapsRepaired { get; init; }

    /// <summary>Questions to history and registrations that failed.</summary>
    public required long QuestionsFailed { get; init; }

    /// <summary>Times that a subscription was too slow and gave up its queue.</summary>
    public required long Parked { get; init; }

    /// <summary>Subscriptions that ended, by reason; reasons that never occurred are absent.</summary>
    public required IReadOnlyDictionary<EndReason, long> Ended { get; init; }
}
