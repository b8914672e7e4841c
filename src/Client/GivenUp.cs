using System.Runtime.CompilerServices;

namespace Watch.Client;

/// <summary>What is not waited for any more.</summary>
internal static class GivenUp
{
    /// <summary>Looks at how a task ends that nobody waits for, so that it does not show up as a failure that nobody saw.</summary>
    public static void Observe(Task task)
    {
        // Owned by nobody on purpose: it does nothing else.
        if (!task.IsCompletedSuccessfully)
            _ = EndAsync(task);
    }

    /// <summary>Waits for the end, whatever it is.</summary>
    public static ConfiguredTaskAwaitable Quietly(Task task) =>
        task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);

    private static async Task EndAsync(Task task) => await Quietly(task);
}
