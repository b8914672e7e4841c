using System.Text;
using Xunit.Abstractions;

namespace Watch.Core.Tests.AlgebraTests;

public class KeyTextTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData("/config/db/host", "/config/db/host")]
    [InlineData("grüße/鍵/🔑", "grüße/鍵/🔑")]
    [InlineData("100%", "100%25")]
    [InlineData("a\nb\0", "a%0Ab%00")]
    [InlineData("", "")]
    public void Text_stands_for_itself_but_for_percent_and_control_characters(string key, string text)
    {
        Assert.Equal(text, KeyText.Encode(Encoding.UTF8.GetBytes(key)));
        Assert.Equal(key, Encoding.UTF8.GetString(KeyText.Decode(text)));
    }

    [Theory]
    [InlineData(new byte[] { 0xFF }, "%FF")]
    [InlineData(new byte[] { 0x61, 0xE2, 0x82, 0x41 }, "a%E2%82A")]
    [InlineData(new byte[] { 0xC0, 0x80 }, "%C0%80")]
    [InlineData(new byte[] { 0xED, 0xA0, 0x80 }, "%ED%A0%80")]
    [InlineData(new byte[] { 0xEF, 0xBF, 0xBD }, "\uFFFD")]
    public void Bytes_that_are_no_utf8_are_escaped_one_by_one(byte[] bytes, string text)
    {
        Assert.Equal(text, KeyText.Encode(bytes));
        Assert.Equal(bytes, KeyText.Decode(text));
    }

    [Fact]
    public void Decoding_undoes_encoding_for_any_bytes()
    {
        var random = Seeds.Start(output, out _);
        for (var round = 0; round < 20_000; round++)
        {
            var bytes = random.TroublesomeBytes(10);
            Assert.Equal(bytes, KeyText.Decode(KeyText.Encode(bytes)));
        }
    }

    [Fact]
    public void Different_bytes_never_share_a_text()
    {
        // All strings of up to three bytes of an alphabet in which one can imitate another's escape.
        byte[] alphabet = [(byte)'%', (byte)'2', (byte)'5', (byte)'E', 0x00, 0x7F, 0x82, 0xAC, 0xC2, 0xE2, 0xFF];
        var seen = new Dictionary<string, Key>();
        foreach (var bytes in AllStrings(alphabet, 3))
            Assert.True(seen.TryAdd(KeyText.Encode(bytes), Key.Of(bytes)), $"{Convert.ToHexString(bytes)} shares its text");
    }

    [Theory]
    [InlineData("%")]
    [InlineData("%4")]
    [InlineData("a%G0")]
    [InlineData("% 1")]
    [InlineData("%41")]             // 'A' is written A
    [InlineData("%ff")]             // escapes are in capitals
    [InlineData("%E2%82%AC")]       // that is the euro sign
    [InlineData("a\n")]             // control characters are escaped
    public void A_text_that_encoding_would_not_write_is_refused(string text) =>
        Assert.Throws<FormatException>(() => KeyText.Decode(text));

    [Fact]
    public void Half_a_character_has_no_bytes_and_is_refused()
    {
        // Made here, because an attribute's argument would itself be written as UTF-8.
        foreach (var half in new[] { '\uD800', '\uDC00' })
            Assert.Throws<FormatException>(() => KeyText.Decode($"a{half}b"));
    }

    [Fact]
    public void A_text_that_is_accepted_is_the_text_of_its_bytes()
    {
        var random = Seeds.Start(output, out _);
        var accepted = 0;
        for (var round = 0; round < 20_000; round++)
        {
            var text = new string([.. Enumerable.Range(0, random.Next(6)).Select(_ => "%%25EFa/\n\uD83D\uDD11\u00e9"[random.Next(12)])]);
            if (Record.Exception(() => KeyText.Decode(text)) is FormatException)
                continue;
            accepted++;
            Assert.Equal(text, KeyText.Encode(KeyText.Decode(text)));
        }

        Assert.InRange(accepted, 1, 19_999);
    }

    private static IEnumerable<byte[]> AllStrings(byte[] alphabet, int lengthMax)
    {
        yield return [];
        if (lengthMax == 0)
            yield break;
        foreach (var rest in AllStrings(alphabet, lengthMax - 1))
            foreach (var first in alphabet)
                yield return [first, .. rest];
    }
}
