namespace Watch.Core.Tests.Storage;

public sealed class SmokeTests
{
    [Fact]
    public void A_key_reads_back_as_its_text() => Assert.Equal("a", Key.Of("a").ToString());
}
