using System.CommandLine;

namespace Watch.ClientApp.CommandLine;

/// <summary>What is to be watched, as a command line gives it: keys, prefixes, ranges and patterns, any number of each, or everything.</summary>
internal static class WatchTargets
{
    private const string RangeMark = "..";

    private static readonly Argument<string[]> s_keys = new("KEY") { Description = "A key to follow.", Arity = ArgumentArity.ZeroOrMore };
    private static readonly Option<string[]> s_prefixes = Several("--prefix", "/PREFIX/", "Follow every key below this prefix; it begins and ends with /.");
    private static readonly Option<string[]> s_anyPrefixes = Several("--any-prefix", "TEXT", "Follow every key that begins with this text.");
    private static readonly Option<string[]> s_ranges = Several("--range", "FIRST..END", "Follow every key from FIRST up to, but not including, END; without END every key from FIRST on.");
    private static readonly Option<string[]> s_globs = Several("--glob", "PATTERN", "Follow every key like this: * stands for any run without /, ** for any run, ? for one byte but /, [a-c] for one of these.");
    private static readonly Option<bool> s_all = new("--all") { Description = "Follow every key." };

    /// <summary>Gives a command these options.</summary>
    public static void AddTo(Command command)
    {
        command.Add(s_keys);
        foreach (var option in new Option[] { s_prefixes, s_anyPrefixes, s_ranges, s_globs, s_all })
            command.Add(option);
        command.Validators.Add(result =>
        {
            var given = (result.GetResult(s_keys)?.Tokens.Count ?? 0) + new[] { s_prefixes, s_anyPrefixes, s_ranges, s_globs }.Sum(option => result.GetResult(option)?.Tokens.Count ?? 0);
            if (given == 0 && !result.GetValue(s_all))
                result.AddError("what to watch is missing: give a KEY, --prefix, --any-prefix, --range, --glob, or --all.");
            if (given > 0 && result.GetValue(s_all))
                result.AddError("--all follows every key: with it nothing else can be given.");
            if (given > WatchTarget.PartsMax)
                result.AddError($"{given} targets were given; at most {WatchTarget.PartsMax} are allowed.");
            foreach (var range in result.GetResult(s_ranges)?.Tokens ?? [])
            {
                if (!range.Value.Contains(RangeMark, StringComparison.Ordinal))
                    result.AddError($"--range: '{range.Value}' is not FIRST..END, such as /a../b, or FIRST.. for every key from FIRST on.");
            }
        });
    }

    /// <summary>What was given.</summary>
    public static WatchTarget Of(ParseResult parsed)
    {
        if (parsed.GetValue(s_all))
            return WatchTarget.Bucket;
        List<WatchTarget> targets =
        [
            .. (parsed.GetValue(s_keys) ?? []).Select(WatchTarget.Key),
            .. (parsed.GetValue(s_prefixes) ?? []).Select(WatchTarget.Prefix),
            .. (parsed.GetValue(s_anyPrefixes) ?? []).Select(WatchTarget.AnyPrefix),
            .. (parsed.GetValue(s_ranges) ?? []).Select(Range),
            .. (parsed.GetValue(s_globs) ?? []).Select(WatchTarget.Glob),
        ];
        return targets.Count == 1 ? targets[0] : WatchTarget.Several([.. targets]);
    }

    private static WatchTarget Range(string text)
    {
        var at = text.IndexOf(RangeMark, StringComparison.Ordinal);
        var end = text[(at + RangeMark.Length)..];
        return WatchTarget.Range(text[..at], end.Length == 0 ? null : end);
    }

    private static Option<string[]> Several(string name, string help, string description) =>
        new(name) { Description = description, HelpName = help, Arity = ArgumentArity.OneOrMore, AllowMultipleArgumentsPerToken = false };
}
