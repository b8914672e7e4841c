using Xunit.Abstractions;

namespace Watch.Core.Tests.AlgebraTests;

public class ScopeTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData("/config/db/host", "/", "/config/", "/config/db/")]
    public void DE_U25_a_key_three_deep_has_three_segments(string key, params string[] segments) => AssertSegments(key, segments);

    [Theory]
    [InlineData("/", "/")]
    public void DE_U26_the_root_key_has_the_root_alone(string key, params string[] segments) => AssertSegments(key, segments);

    [Theory]
    [InlineData("/config", "/")]
    public void DE_U27_a_key_below_the_root_has_the_root_alone(string key, params string[] segments) => AssertSegments(key, segments);

    [Theory]
    [InlineData("/config/", "/", "/config/")]
    public void DE_U28_a_key_that_ends_in_a_slash_lies_in_the_segment_of_its_own_name(string key, params string[] segments) => AssertSegments(key, segments);

    [Theory]
    [InlineData("plain")]
    [InlineData("config/db", "config/")]
    [InlineData("//", "/", "//")]
    [InlineData("a//b", "a/", "a//")]
    public void Segments_end_at_every_slash_whether_or_not_the_key_begins_with_one(string key, params string[] segments) =>
        AssertSegments(key, segments);

    [Fact]
    public void Scopes_are_the_key_then_the_bucket_then_the_segments_down()
    {
        Assert.Equal(
            [Scope.OfKey(Key.Of("/a/b")), Scope.Bucket, Scope.OfPrefix(Key.Of("/")), Scope.OfPrefix(Key.Of("/a/"))],
            All(Key.Of("/a/b")));
    }

    [Fact]
    public void A_key_has_at_most_32_segments_and_a_deeper_one_is_no_scope()
    {
        var key = Key.Of(string.Concat(Enumerable.Repeat("d/", 33)) + "leaf");
        var scopes = All(key);
        Assert.Equal(2 + Scope.DepthMax, scopes.Count);
        Assert.Equal(64, scopes[^1].Text.Length);
        Assert.Equal(scopes[^1], Scope.Covering(key));
        Assert.Throws<ArgumentException>(() => Scope.OfPrefix(Key.Of(key.Span[..66])));
    }

    [Fact]
    public void A_prefix_without_its_slash_is_no_segment() => Assert.Throws<ArgumentException>(() => Scope.OfPrefix(Key.Of("/config")));

    [Theory]
    [InlineData("/config/d", "/config/")]
    [InlineData("/config/", "/config/")]
    [InlineData("con", "")]
    [InlineData("", "")]
    public void Any_prefix_is_covered_by_its_deepest_segment(string prefix, string segment) =>
        Assert.Equal(Scope.OfPrefix(Key.Of(segment)), Scope.Covering(Key.Of(prefix)));

    [Fact]
    public void A_scope_contains_a_key_exactly_if_it_is_one_of_its_scopes_and_its_range_says_so()
    {
        var random = Seeds.Start(output, out _);
        for (var round = 0; round < 20_000; round++)
        {
            var key = Key.Of(random.TroublesomeBytes(8));
            var other = Key.Of(random.Next(2) == 0 ? random.TroublesomeBytes(8) : [.. key.Span[..random.Next(key.Length + 1)], .. random.TroublesomeBytes(2)]);
            var scopes = All(key).ToHashSet();
            foreach (var scope in All(other))
            {
                Assert.True(scope.Contains(key) == scopes.Contains(scope), $"key {key}, {scope}");
                Assert.True(scope.Range.Contains(key) == scopes.Contains(scope), $"key {key}, range of {scope}");
            }
        }
    }

    private static void AssertSegments(string key, string[] segments) => Assert.Equal(
        segments, All(Key.Of(key)).Where(scope => scope.Kind == ScopeKind.Prefix && !scope.Text.IsEmpty).Select(scope => scope.Text.ToString()));

    private static List<Scope> All(Key key)
    {
        var scopes = new List<Scope>();
        foreach (var scope in Scope.Of(key))
            scopes.Add(scope);
        return scopes;
    }
}
