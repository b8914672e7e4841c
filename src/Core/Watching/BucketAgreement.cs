namespace Watch.Core.Watching;

/// <summary>
/// What a silo and the leader of one bucket have agreed on: which scopes the leader names this silo for, and how far the silo has taken
/// in what the leader said of them.
/// </summary>
/// <remarks>
/// <para>The scopes that the leader has been told are those of the feeds whose registration was answered, and those of feeds that are gone
/// and whose withdrawal has not been carried out. Questions travel in the lane of registrations and withdrawals (I-P0), one at a time, so
/// what is counted here is what the leader has when the question comes, however fast watches come and go; what a lost call leaves behind
/// is a disagreement, which the next answer but one clears up (I-P5).</para>
/// </remarks>
internal sealed class BucketAgreement
{
    // What the leader has been told and no started feed stands for: feeds that are gone, or have not begun.
    private readonly HashSet<Scope> _withdrawing = [];
    private long _term;
    private long _number;
    private int _disagreements;

    /// <summary>When the last question was sent, by the table's clock (I-P6).</summary>
    public long SentMs { get; private set; }

    /// <summary>The question under way; 0 where there is none.</summary>
    public long UnderWay { get; private set; }

    /// <summary>Whether a question is to be sent that has not been.</summary>
    public bool IsWanted { get; set; }

    /// <summary>How many scopes the leader has been told.</summary>
    public int Scopes { get; private set; }

    /// <summary>The <see cref="ScopesHash"/> of them.</summary>
    public ulong Hash { get; private set; }

    /// <summary>Whether the next question asks for all scopes (I-P5).</summary>
    public bool WantsAll => _disagreements >= 2;

    /// <summary>A question leaves.</summary>
    public ProgressAsk Begin(BucketId bucket, long question, long nowMs)
    {
        (UnderWay, SentMs, IsWanted) = (question, nowMs, false);
        return new ProgressAsk(bucket, question, _term, _number, Scopes, Hash, WantsAll);
    }

    /// <summary>The question under way is over; false where it is not this one, whose answer means nothing any more.</summary>
    public bool End(long question)
    {
        if (UnderWay != question)
            return false;
        UnderWay = 0;
        return true;
    }

    /// <summary>The answer's heads are taken in (I-P3), so it can be acknowledged.</summary>
    /// <param name="answer">The answer.</param>
    /// <param name="lacksScopes">Whether the leader is known to lack scopes: then it does not agree, even if both count the same.</param>
    public void Take(BucketProgress answer, bool lacksScopes)
    {
        (_term, _number) = (answer.Term, answer.Number);
        if (!answer.More)
            _disagreements = (answer.Agrees && !lacksScopes) || answer.IsAll ? 0 : _disagreements + 1;
    }

    /// <summary>The leader has answered a registration, or named the scope in an answer with all: it has been told of it.</summary>
    public void Told(Scope scope, bool hasFeed, bool wasTold)
    {
        var isCounted = wasTold || _withdrawing.Contains(scope);
        if (hasFeed)
            _withdrawing.Remove(scope);
        else
            _withdrawing.Add(scope);
        if (!isCounted)
            Count(scope, 1);
    }

    /// <summary>A feed is gone of which the leader had been told: the withdrawal is on its way.</summary>
    public void Leaving(Scope scope) => _withdrawing.Add(scope);

    /// <summary>Whether a withdrawal is on its way.</summary>
    public bool IsLeaving(Scope scope) => _withdrawing.Contains(scope);

    /// <summary>A withdrawal has been tried. Whether it was carried out nobody knows if it failed: then both disagree, and it is repeated.</summary>
    public void Left(Scope scope)
    {
        if (_withdrawing.Remove(scope))
            Count(scope, -1);
    }

    /// <summary>The leader does not have this scope, though it had been told.</summary>
    public void Unknown(Scope scope) => Count(scope, -1);

    /// <summary>Those whose withdrawal is on its way and that are not among these: the leader has dropped them.</summary>
    public void LeftUnless(IReadOnlySet<Scope> named)
    {
        foreach (var scope in _withdrawing.Where(scope => !named.Contains(scope)).ToList())
            Left(scope);
    }

    private void Count(Scope scope, int by)
    {
        Scopes += by;
        Hash = unchecked(by > 0 ? Hash + ScopesHash.Of(scope) : Hash - ScopesHash.Of(scope));
    }
}
