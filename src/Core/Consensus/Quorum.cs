namespace Watch.Core.Consensus;

/// <summary>The arithmetic of majorities.</summary>
public static class Quorum
{
    /// <summary>How many of so many voters are a majority: any two majorities share a voter.</summary>
    public static int Of(int voters)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(voters, 1);
        return voters / 2 + 1;
    }

    /// <summary>The highest index that a majority has, given the index up to which each voter durably has the leader's log. Sorts the span.</summary>
    public static LogIndex Reached(Span<LogIndex> match)
    {
        var majority = Of(match.Length);
        match.Sort();
        return match[match.Length - majority];
    }
}
