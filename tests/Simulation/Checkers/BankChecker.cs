using Watch.Simulation.Tests.Workloads;

namespace Watch.Simulation.Tests.Checkers;

/// <summary>In every state of the bank that was committed the accounts have the same sum, and no element ever leaves the set.</summary>
internal static class BankChecker
{
    public static string? Check(CommittedHistory committed)
    {
        var set = "";
        foreach (var change in committed.Changes)
        {
            if (change.Key == BankActor.Key && BankActor.Parse(change.Value!).Sum() != BankActor.Accounts * BankActor.Each)
                return $"Bank: the accounts of {change} do not sum up to {BankActor.Accounts * BankActor.Each}.";
            if (change.Key != SetActor.Key)
                continue;
            if (!change.Value!.StartsWith(set, StringComparison.Ordinal))
                return $"Set: '{change.Value}' in revision {change.Revision} lacks something of '{set}'.";
            set = change.Value;
        }

        return null;
    }
}
