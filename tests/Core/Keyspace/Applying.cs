using Watch.Core.Keyspace;

namespace Watch.Core.Tests.Keyspace;

/// <summary>Applying where the place in the log does not matter: each entry follows the one before, and log time stands still.</summary>
internal static class Applying
{
    public static Outcome Apply(this BucketState state, Command command, long wallTimeMs, IWatchedScopes watched) =>
        state.Apply(command, new AppliedAt(state.Applied.Next, LogTime.Zero, wallTimeMs), watched);
}
