using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Watch.Client;
using Watch.Grains;

namespace Watch.Cluster.Tests;

/// <summary>
/// What the documentation says is so, as far as a test can tell: settings and their defaults are those of the options classes, tests that are
/// named exist, and every line of docs/guarantees.md about watching names one.
/// </summary>
public sealed partial class DocumentationTests
{
    private static readonly string[] s_pages = [.. Directory.GetFiles(Path.Combine(RepositoryRoot(), "docs"), "*.md").Append(Path.Combine(RepositoryRoot(), "README.md"))];

    [Fact]
    public void Every_test_that_the_documentation_names_exists()
    {
        var tests = TestsOf(Path.Combine(RepositoryRoot(), "tests"));
        Assert.True(tests.Count > 500, $"only {tests.Count} tests were found in the sources");

        var missing = from page in s_pages
                      from Match named in NamedTest().Matches(File.ReadAllText(page))
                      let test = $"{named.Groups["class"].Value}: {named.Groups["test"].Value}"
                      where !tests.Contains(test)
                      select $"{Path.GetFileName(page)} names `{test}`";
        Assert.Equal([], missing);

        var scripts = from page in s_pages
                      from Match named in NamedFile().Matches(File.ReadAllText(page))
                      where !Path.Exists(Path.Combine(RepositoryRoot(), named.Groups["path"].Value))
                      select $"{Path.GetFileName(page)} names `{named.Groups["path"].Value}`";
        Assert.Equal([], scripts);
    }

    [Fact]
    public void A_name_of_no_test_is_noticed()
    {
        var tests = TestsOf(Path.Combine(RepositoryRoot(), "tests"));

        Assert.Contains($"{nameof(DocumentationTests)}: {nameof(A_name_of_no_test_is_noticed)}", tests);
        Assert.DoesNotContain($"{nameof(DocumentationTests)}: {nameof(TestsOf)}", tests);
        Assert.Matches(NamedTest(), "shown by `PathTests: A_put_is_answered` and more");
    }

    [Theory]
    [InlineData("Watches")]
    public void Every_line_of_a_chapter_of_guarantees_names_the_test_that_shows_it(string chapter)
    {
        var page = File.ReadAllText(Path.Combine(RepositoryRoot(), "docs", "guarantees.md")).ReplaceLineEndings("\n");
        var rows = page.Split("\n## ").Single(each => each.Split('\n')[0] == chapter).Split('\n')
            .Where(line => line.StartsWith("| ", StringComparison.Ordinal) && !line.Contains("shown by", StringComparison.Ordinal)).ToList();

        Assert.NotEmpty(rows);
        Assert.Equal([], rows.Where(row => !NamedTest().IsMatch(row)));
    }

    [Theory]
    [InlineData(typeof(WatchSiloOptions))]
    [InlineData(typeof(WatchClientOptions))]
    [InlineData(typeof(WatchOptions))]
    public void Every_setting_stands_in_the_documentation_with_its_default(Type options)
    {
        var rows = RowsOf(options.Name);
        var defaults = Activator.CreateInstance(options)!;
        var settings = options.GetProperties(BindingFlags.Public | BindingFlags.Instance);

        var missing = settings.Where(each => !rows.TryGetValue(each.Name, out var said) || !Says(said, each.GetValue(defaults)))
            .Select(each => $"{options.Name}.{each.Name} with the default {Text(each.GetValue(defaults))}");

        Assert.Equal([], missing);
        Assert.Equal([], rows.Keys.Except(settings.Select(each => each.Name)));
    }

    private static bool Says(string said, object? value) =>
        value is null ? said == "none" : value is "" ? said.StartsWith("empty", StringComparison.Ordinal) : said.Replace("`", "", StringComparison.Ordinal) == Text(value);

    private static string? Text(object? value) => Convert.ToString(value, CultureInfo.InvariantCulture);

    /// <summary>The column "default" by the column "setting", of the section that names the class.</summary>
    private static Dictionary<string, string> RowsOf(string name)
    {
        var page = File.ReadAllText(Path.Combine(RepositoryRoot(), "docs", "configuration.md")).ReplaceLineEndings("\n");
        var section = page.Split("\n## ").Single(each => each.Split('\n')[0].Contains($"`{name}`", StringComparison.Ordinal));
        return Regex.Matches(section, @"^\| `(\w+)` \| ([^|]*) \|", RegexOptions.Multiline)
            .ToDictionary(row => row.Groups[1].Value, row => row.Groups[2].Value.Trim());
    }

    /// <summary>Every test of the sources, as <c>Class: Test</c>; read rather than loaded, since they lie in many assemblies.</summary>
    private static HashSet<string> TestsOf(string folder) =>
        [.. from file in Directory.GetFiles(folder, "*Tests.cs", SearchOption.AllDirectories)
            let text = File.ReadAllText(file)
            from Match test in Test().Matches(text)
            from Match owner in TestClass().Matches(text)
            select $"{owner.Groups["class"].Value}: {test.Groups["test"].Value}"];

    [GeneratedRegex("`(?<class>[A-Z][A-Za-z]*Tests): (?<test>[A-Za-z0-9_]+)`")]
    private static partial Regex NamedTest();

    [GeneratedRegex("`(?<path>(?:tests|src|bench|samples)/[A-Za-z0-9_./]*[A-Za-z0-9_])`")]
    private static partial Regex NamedFile();

    [GeneratedRegex(@"\[(?:Fact|Theory)[^\n]*\n(?:\s*\[[^\n]*\n)*\s*public (?:static )?(?:async )?(?:Task|void) (?<test>\w+)\(")]
    private static partial Regex Test();

    [GeneratedRegex(@"^(?:public|internal) (?:sealed )?(?:partial )?class (?<class>\w+Tests)\b", RegexOptions.Multiline)]
    private static partial Regex TestClass();

    /// <summary>From this file upwards: what was built may lie elsewhere.</summary>
    internal static string RepositoryRoot([CallerFilePath] string here = "")
    {
        var folder = Directory.GetParent(here);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Watch.sln")))
            folder = folder.Parent;
        return folder?.FullName ?? throw new InvalidOperationException($"No folder above '{here}' holds Watch.sln.");
    }
}
