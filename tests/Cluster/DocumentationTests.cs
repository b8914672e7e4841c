using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Watch.Client;
using Watch.Grains;

namespace Watch.Cluster.Tests;

/// <summary>What docs/configuration.md says of the settings is what the options classes say.</summary>
public sealed class DocumentationTests
{
    [Theory]
    [InlineData(typeof(WatchSiloOptions))]
    [InlineData(typeof(WatchClientOptions))]
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

    /// <summary>From this file upwards: what was built may lie elsewhere.</summary>
    private static string RepositoryRoot([CallerFilePath] string here = "")
    {
        var folder = Directory.GetParent(here);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Watch.sln")))
            folder = folder.Parent;
        return folder?.FullName ?? throw new InvalidOperationException($"No folder above '{here}' holds Watch.sln.");
    }
}
