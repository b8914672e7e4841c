namespace Watch.Core.Watching;

/// <summary>Something that is read for a scope or for a subscription, page by page: due again after a failure, and in line for its next page.</summary>
internal abstract class Reading : Due
{
    /// <summary>Whose it is; null where it is the scope's, for everybody who is live.</summary>
    public abstract Subscription? Subscription { get; }

    /// <summary>Where it stands in line; null where it does not.</summary>
    public Turn? Turn { get; set; }

    /// <summary>Whether it stands in line.</summary>
    public bool IsQueued => Turn is not null;

    /// <summary>What it is about to read; those who are about to read the same may do so together. Null where nobody else does.</summary>
    public virtual ReadingPlace? Place => null;

    /// <summary>How many questions failed one after the other.</summary>
    public int Failures { get; set; }
}

/// <summary>What is read next: of which scope, behind which revision, and what is here already of the one behind that.</summary>
internal readonly record struct ReadingPlace(ScopeFeed Feed, Revision After, Commit? Part);

/// <summary>One turn in the line: who has it, and all who came since to read the same.</summary>
internal sealed class Turn(ReadingPlace? place)
{
    public ReadingPlace? Place => place;

    public List<Reading> Readings { get; } = [];
}

/// <summary>
/// Those who want a page of history or of a snapshot, in the order in which they came; so many are served at once.
/// </summary>
/// <remarks>
/// <para>The problem: a thousand watches that resume at once ask a thousand times, and one that is far behind asks again and again. Whoever
/// answers them has other work, and each answer under way holds memory.</para>
/// <list type="bullet">
/// <item>I-F1: a reading stands in line once, or has one question under way.</item>
/// <item>I-F2: who got a page goes to the end of the line: between two pages of one, everybody who waited when the first was asked for
/// gets one. Only who wants just what another waits for joins that one's turn, which keeps nobody waiting longer.</item>
/// <item>I-F3: so the bytes under way are at most a page's times the questions that are let go at once.</item>
/// <item>I-F4: joint reading: those of a turn share one question, and its answer. Many that come back at one cursor read history
/// in a sixty-fourth of the questions, as long as they take what comes at one pace; more of them at once would keep everybody else waiting
/// while they are given it (<see cref="TogetherMax"/>).</item>
/// </list>
/// <para>Who leaves the line is skipped when its turn comes.</para>
/// </remarks>
internal sealed class CatchUpQueue(int inFlightMax)
{
    /// <summary>How many read together at most.</summary>
    public const int TogetherMax = 64;

    private readonly Queue<Turn> _waiting = new();
    private readonly Dictionary<ReadingPlace, Turn> _places = [];
    private int _inFlight;

    /// <summary>How many turns there are, those among them that everybody has left and that were not passed yet.</summary>
    public int Waiting => _waiting.Count;

    /// <summary>How many questions are under way.</summary>
    public int InFlight => _inFlight;

    /// <summary>Goes to the end of the line, or to one who waits for the same.</summary>
    public void Join(Reading reading)
    {
        if (reading.IsQueued)
            return;
        var place = reading.Place;
        if (place is null || !_places.TryGetValue(place.Value, out var turn))
        {
            _waiting.Enqueue(turn = new Turn(place));
            if (place is not null)
                _places.Add(place.Value, turn);
        }

        reading.Turn = turn;
        turn.Readings.Add(reading);
        if (place is not null && turn.Readings.Count == TogetherMax)
            _places.Remove(place.Value);
    }

    /// <summary>Leaves the line.</summary>
    public void Leave(Reading reading)
    {
        reading.Turn?.Readings.Remove(reading);
        reading.Turn = null;
    }

    /// <summary>Whose turn it is, if there is room for another question, which is under way from here on; one of them at least.</summary>
    public List<Reading>? TakeNext()
    {
        while (_inFlight < inFlightMax && _waiting.TryDequeue(out var next))
        {
            if (next.Place is { } place && _places.GetValueOrDefault(place) == next)
                _places.Remove(place);
            if (next.Readings.Count == 0)
                continue;
            foreach (var reading in next.Readings)
                reading.Turn = null;
            _inFlight++;
            return next.Readings;
        }

        return null;
    }

    /// <summary>A question is over, however it ended, whether or not anybody waits for its answer.</summary>
    public void Ended()
    {
        Invariant.That(_inFlight > 0, "I-F1: a question ends once.");
        _inFlight--;
    }
}
