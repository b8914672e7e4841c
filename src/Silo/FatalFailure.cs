using System.Text.RegularExpressions;

namespace Watch.Silo;

/// <summary>
/// Says in one line why Orleans ends the silo. What it says itself is text only, and "I have been told I am dead" stands before reasons that
/// want different answers; so they are told apart by what follows, and that is always told, too: it holds the entry of the membership table.
/// A reason that is not known is told as it is.
/// </summary>
internal static partial class FatalFailure
{
    private const string BeforeReason = "Reason: ";

    /// <param name="context">What Orleans says of the failure: a sentence with a reason, or the name of what failed.</param>
    /// <param name="exception">What failed, where it was not membership that decided.</param>
    public static string Describe(string? context, Exception? exception)
    {
        var reason = ReasonIn(context ?? "");
        var causes = string.Join(", because of ", Causes(exception).Select(each => $"{each.GetType().Name}: {each.Message}"));
        return $"{Meaning(reason)} Orleans' reason: {reason}{(causes.Length > 0 ? $" ({causes})" : "")}".ReplaceLineEndings(" ");
    }

    private static string Meaning(string reason)
    {
        if (reason.Contains("Detected newer version of myself", StringComparison.Ordinal) || IsSuspectedByItsOwnAddress(reason))
            return "Another server was started under this one's address, and this one gives way to it. Only one of the two may run: started again under that address, they end each other in turn.";
        return reason.Contains("I should be Dead", StringComparison.Ordinal)
            ? "The other silos have declared this one dead: it was frozen, overloaded or cut off for too long, and must not go on. What its folder holds is good. Start it again."
            : "The server failed.";
    }

    /// <summary>
    /// Whether the table's entry names, among those that declared this silo dead, one of its own address: a process that starts there does
    /// that to the one that it finds in the table, whose own look at the table is mostly the first that it hears of it.
    /// </summary>
    private static bool IsSuspectedByItsOwnAddress(string reason) =>
        OwnAddress().Match(reason) is { Success: true } own
        && reason.IndexOf("Suspecters=", StringComparison.Ordinal) is >= 0 and var suspecters
        && reason.IndexOf($"{own.Groups["endpoint"].Value}:", suspecters, StringComparison.Ordinal) >= 0;

    private static string ReasonIn(string context) =>
        context.IndexOf(BeforeReason, StringComparison.Ordinal) is >= 0 and var at ? context[(at + BeforeReason.Length)..] : context;

    private static IEnumerable<Exception> Causes(Exception? exception)
    {
        for (var each = exception; each is not null; each = each.InnerException)
            yield return each;
    }

    // An endpoint and, behind the last colon, the number of the process that listens there.
    [GeneratedRegex(@"\[SiloAddress=(?<endpoint>\S+):-?\d+ ")]
    private static partial Regex OwnAddress();
}
