using Watch.Simulation.Tests.Running;
using Xunit.Abstractions;

namespace Watch.Simulation.Tests.Variants;

/// <summary>A simulator that finds nothing in a broken product finds nothing in a whole one, either: every deliberate defect is caught.</summary>
public sealed class VariantTests(ITestOutputHelper output)
{
    public static TheoryData<string> Names => [.. Defects.All.Select(variant => variant.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_broken_rule_is_caught(string name)
    {
        var variant = Defects.Of(name);
        var runner = new Runner { From = 1, Seeds = variant.SeedsMax, Variant = name, StopsAt = variant.Shows };
        var summary = runner.Run();
        var caught = summary.Violations.FirstOrDefault(variant.Shows);
        Assert.True(caught is not null, $"'{name}' was not caught within {summary.Runs} seeds; faults: {summary.Counts}{string.Concat(summary.Violations.Select(each => $"{Environment.NewLine}{Report.Of(each)}"))}");
        output.WriteLine($"caught after {summary.Runs} seeds: {Report.Of(caught)}");
    }
}
