using System.Globalization;
using System.Text.RegularExpressions;

namespace Watch.Tidy;

/// <summary>
/// What d-engine and nutsdb test of their own watches holds here, too: each of their statements that concerns watching is named by at least
/// one test, as <c>Trait("DE", "U01")</c> or <c>Trait("NU", "W01")</c>.
/// </summary>
public sealed partial class StatementTests
{
    /// <summary>The groups of statements, and how many each has.</summary>
    private static readonly (string Source, char Group, int Count)[] s_groups =
        [("DE", 'U', 46), ("DE", 'A', 11), ("DE", 'E', 21), ("DE", 'G', 9), ("DE", 'M', 13), ("DE", 'S', 20), ("DE", 'P', 6), ("NU", 'W', 13), ("NU", 'M', 27), ("NU", 'D', 20)];

    /// <summary>Of lists, sets, sorted sets, times to live and buckets that can be deleted: not of watching alone.</summary>
    private static readonly string[] s_ofOtherParts =
        ["NU M15", "NU M16", "NU M17", "NU M18", "NU M19", "NU D02", "NU D03", "NU D04", "NU D12", "NU D14", "NU D15", "NU D16", "NU D17", "NU D18", "NU D19", "NU D20"];

    [Fact]
    public void Every_statement_about_watching_is_named_by_a_test()
    {
        var named = Named();
        var missing = Statements().Except(s_ofOtherParts).Except(named).ToList();
        Assert.True(missing.Count == 0, $"{missing.Count} statements are named by no test: {string.Join(", ", missing)}");
    }

    [Fact]
    public void No_test_names_a_statement_that_does_not_exist()
    {
        var strange = Named().Except(Statements()).ToList();
        Assert.True(strange.Count == 0, $"tests name what is no statement: {string.Join(", ", strange)}");
    }

    private static IEnumerable<string> Statements() =>
        from each in s_groups
        from number in Enumerable.Range(1, each.Count)
        select string.Create(CultureInfo.InvariantCulture, $"{each.Source} {each.Group}{number:00}");

    private static HashSet<string> Named() =>
        [.. Sources.All.Where(file => file.IsUnder("tests", "bench") && !file.IsUnder("tests/Tidy")).SelectMany(file => TraitPattern().Matches(string.Join('\n', file.Lines))).Select(match => $"{match.Groups[1].Value} {match.Groups[2].Value}")];

    [GeneratedRegex("""Trait\("(DE|NU)", "([A-Z][0-9]{2})"\)""")]
    private static partial Regex TraitPattern();
}
