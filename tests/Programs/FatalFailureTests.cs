using Watch.Silo;

namespace Watch.Programs.Tests;

/// <summary>What the server says when Orleans ends its silo: each reason in its own words, and none of it lost.</summary>
public sealed class FatalFailureTests
{
    private const string Told = "I have been told I am dead, so this silo will stop! Reason: ";

    [Theory]
    [InlineData("10.0.0.1:11111", "[S10.0.0.2:11111:7, S10.0.0.3:11111:8]")]
    [InlineData("10.0.0.1:1111", "[S10.0.0.1:11111:7]")]
    [InlineData("[::1]:11111", "[S[::1]:11112:7]")]
    public void A_silo_that_others_declared_dead_is_to_be_started_again(string own, string suspecters)
    {
        var reason = DeadInTheTable(own, suspecters);
        var line = FatalFailure.Describe(Told + reason, null);

        Assert.StartsWith("The other silos have declared this one dead", line, StringComparison.Ordinal);
        Assert.Contains("Start it again", line, StringComparison.Ordinal);
        Assert.EndsWith($"Orleans' reason: {reason}", line, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Detected newer version of myself - I am the older clone so I will stop -- Current Me=S10.0.0.1:11111:5 Newer Me=S10.0.0.1:11111:9, Current entry=SiloAddress=S10.0.0.1:11111:9 SiloName=node1 Status=Active")]
    [InlineData("10.0.0.1:11111", "[S10.0.0.1:11111:9]")]
    [InlineData("[::1]:11111", "[S10.0.0.2:11111:7, S[::1]:11111:9]")]
    public void A_silo_whose_address_another_took_is_not_to_be_started_again(string reasonOrOwn, string? suspecters = null)
    {
        var reason = suspecters is null ? reasonOrOwn : DeadInTheTable(reasonOrOwn, suspecters);
        var line = FatalFailure.Describe(Told + reason, null);

        Assert.StartsWith("Another server was started under this one's address", line, StringComparison.Ordinal);
        Assert.DoesNotContain("Start it again", line, StringComparison.Ordinal);
        Assert.EndsWith($"Orleans' reason: {reason}", line, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Told + "Found a bug! Will stop.", "Found a bug! Will stop.")]
    [InlineData("Some later version's own words", "Some later version's own words")]
    [InlineData(null, "")]
    public void A_reason_that_is_not_known_is_told_as_it_is(string? context, string reason) =>
        Assert.Equal($"The server failed. Orleans' reason: {reason}", FatalFailure.Describe(context, null));

    [Fact]
    public void An_exception_is_told_with_its_types_and_causes_in_one_line()
    {
        var error = new InvalidOperationException("The table\ncould not be read.", new IOException("Broken pipe"));

        Assert.Equal(
            "The server failed. Orleans' reason: UpdateIAmAlive (InvalidOperationException: The table could not be read., because of IOException: Broken pipe)",
            FatalFailure.Describe("UpdateIAmAlive", error));
    }

    private static string DeadInTheTable(string own, string suspecters) =>
        "I should be Dead according to the membership table (in RefreshTable). Local entry: "
        + $"[SiloAddress=S{own}:5 SiloName=node1 Status=Dead HostName=host ProxyPort=30000 Suspecters={suspecters} SuspectTimes=[2030-01-01 00:00:00.000 GMT]].";
}
