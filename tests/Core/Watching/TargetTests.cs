using System.Text;
using Watch.Core;
using Watch.Core.Watching;

namespace Watch.Core.Tests.Watching;

/// <summary>What targets mean: which keys they match, which scope has them all, and what is refused.</summary>
public class TargetTests
{
    private const string Alphabet = "ab/x\u00ff";

    [Fact]
    public void Every_key_that_a_target_matches_is_contained_in_its_scope_and_in_its_ranges_and_no_other_key_matches()
    {
        for (var seed = 0; seed < 4_000; seed++)
        {
            var random = new Random(seed);
            var target = AnyTarget(random, mayBeSeveral: true);
            if (FilterOf(target) is not { } filter)
                continue;
            for (var i = 0; i < 30; i++)
            {
                var key = AnyKey(random);
                var expected = NaiveTarget.Matches(target, key);
                var told = $"seed {seed}: {target} and key {key}: matches {expected}, filter {filter}";
                Assert.True(expected == filter.Matches(key), told);
                Assert.True(!expected || filter.Scope.Contains(key), told);
                Assert.True(!expected || filter.Ranges.Any(range => range.Contains(key)), told);
                Assert.True(!filter.IsWholeScope || filter.Scope.Contains(key) == expected, told);
            }
        }
    }

    [Fact]
    public void Ranges_are_sorted_and_disjoint_and_the_scope_is_the_deepest_that_their_common_prefix_allows()
    {
        for (var seed = 0; seed < 2_000; seed++)
        {
            var random = new Random(seed);
            if (FilterOf(AnyTarget(random, mayBeSeveral: true)) is not { } filter)
                continue;
            for (var i = 1; i < filter.Ranges.Count; i++)
                Assert.True(filter.Ranges[i - 1].End is { } end && end < filter.Ranges[i].Start, $"seed {seed}: {filter}");
            if (filter.Scope.Kind == ScopeKind.Prefix)
                Assert.Equal(filter.Scope, Scope.Covering(filter.Ranges.Select(RangeSet.CommonPrefix).Aggregate(RangeSet.CommonPrefix)));
        }
    }

    [Fact]
    public void A_glob_matches_as_a_naive_matcher_does()
    {
        var matched = 0;
        for (var seed = 0; seed < 60_000; seed++)
        {
            var random = new Random(seed);
            var pattern = AnyGlob(random);
            if (GlobOf(pattern) is not { } glob)
                continue;
            var key = AnyKey(random);
            var expected = NaiveTarget.Glob(pattern.Span, key.Span);
            matched += expected ? 1 : 0;
            Assert.True(expected == glob.Matches(key), $"seed {seed}: glob {pattern}, key {key}: a naive matcher says {expected}");
            Assert.True(!expected || key.StartsWith(glob.Head), $"seed {seed}: glob {pattern} matches {key}, but its head is {glob.Head}");
        }

        Assert.True(matched > 3_000, $"only {matched} matched");
    }

    [Theory]
    [InlineData("/a/*", "/a/b", true)]
    [InlineData("/a/*", "/a/b/c", false)]
    [InlineData("/a/*", "/a/", true)]
    [InlineData("/a/**", "/a/b/c", true)]
    [InlineData("**/c", "/a/b/c", true)]
    [InlineData("/?/b", "///b", false)]
    [InlineData("/[a-c]", "/b", true)]
    [InlineData("/[!a-c]", "/b", false)]
    [InlineData("/[!a]b", "//b", false)]
    [InlineData("/[a\\]]", "/]", true)]
    [InlineData("/\\*", "/*", true)]
    [InlineData("/\\*", "/a", false)]
    [InlineData("/[a-]", "/-", true)]
    public void Globs_by_example(string pattern, string key, bool matches) =>
        Assert.Equal(matches, Glob.Parse(Key.Of(pattern)).Matches(Key.Of(key)));

    [Fact]
    public void Matching_takes_no_longer_than_the_product_of_both_lengths()
    {
        var pattern = Key.Of(string.Concat(Enumerable.Repeat("*a", 400)) + "**" + string.Concat(Enumerable.Repeat("*a", 100)) + "b");
        Assert.False(Glob.Parse(pattern).Matches(Key.Of(new string('a', 4096))));
    }

    [Theory]
    [InlineData("")]
    [InlineData("/a[")]
    [InlineData("/a[]")]
    [InlineData("/a[!]")]
    [InlineData("/a[b")]
    [InlineData("/a[c-a]")]
    [InlineData("/a\\")]
    [InlineData("/a[\\")]
    public void A_malformed_glob_is_refused(string pattern) =>
        Assert.Equal(WatchRefusal.MalformedGlob, Refusal(WatchTarget.Glob(Key.Of(pattern))).Code);

    [Fact]
    public void Bad_targets_are_refused_each_with_a_code_of_its_own()
    {
        var key = WatchTarget.Key(Key.Of("/a"));
        var tooLong = Key.Of(new string('k', 4097));
        Assert.Equal(WatchRefusal.MalformedGlob, Refusal(WatchTarget.Glob(Key.Of(new string('*', 1025)))).Code);
        Assert.Equal(WatchRefusal.MalformedRange, Refusal(WatchTarget.Range(Key.Of("b"), Key.Of("a"))).Code);
        Assert.Equal(WatchRefusal.MalformedRange, Refusal(WatchTarget.Range(Key.Of("a"), Key.Of("a"))).Code);
        Assert.Equal(WatchRefusal.KeyTooLong, Refusal(WatchTarget.Range(Key.Empty, tooLong)).Code);
        Assert.Equal(WatchRefusal.KeyTooLong, Refusal(WatchTarget.AnyPrefix(tooLong)).Code);
        Assert.Equal(WatchRefusal.NoTargets, Refusal(WatchTarget.Several([])).Code);
        Assert.Equal(WatchRefusal.TooManyTargets, Refusal(WatchTarget.Several([.. Enumerable.Repeat(key, 257)])).Code);
        Assert.Equal(WatchRefusal.OptionOutOfRange, Refusal(WatchTarget.Several([WatchTarget.Several([key])])).Code);
        Assert.Equal(WatchRefusal.EmptyKey, Refusal(WatchTarget.Several([key, WatchTarget.Key(Key.Empty)])).Code);
        Assert.Equal(WatchRefusal.MalformedPrefix, Refusal(WatchTarget.Several([WatchTarget.Prefix(Key.Of("a/"))])).Code);
        TargetFilter.Of(WatchTarget.Several([.. Enumerable.Repeat(key, 256)]));
        TargetFilter.Of(WatchTarget.Glob(Key.Of(new string('*', 1024))));
        TargetFilter.Of(WatchTarget.AnyPrefix(Key.Of(new string('/', 100))));
    }

    [Fact]
    public void The_same_keys_are_the_same_filter_however_they_are_written()
    {
        (string, WatchTarget[])[] same =
        [
            ("prefix /a/", [Prefix("/a/"), Any("/a/"), WatchTarget.Glob(Key.Of("/a/**")), WatchTarget.Range(Key.Of("/a/"), Key.Of("/a0")), WatchTarget.Several([Prefix("/a/"), One("/a/b")])]),
            ("key /a", [One("/a"), WatchTarget.Glob(Key.Of("/a")), WatchTarget.Several([One("/a"), One("/a")])]),
            ("prefix ", [WatchTarget.Bucket, Any(""), WatchTarget.Range(Key.Empty, null), WatchTarget.Glob(Key.Of("**")), WatchTarget.Several([WatchTarget.Bucket, One("/a")])]),
        ];
        foreach (var (scope, targets) in same)
            foreach (var filter in targets.Select(TargetFilter.Of))
                Assert.Equal((scope, true, TargetFilter.Of(targets[0]), TargetFilter.Of(targets[0]).Hash), (filter.Scope.ToString(), filter.IsWholeScope, filter, filter.Hash));
        var different = same.Select(each => each.Item2[0]).Concat([Any("/a"), WatchTarget.Glob(Key.Of("/a/*")), WatchTarget.Several([One("/a"), One("/b")])]).Select(TargetFilter.Of).ToList();
        Assert.Equal(different.Count, different.Distinct().Count());
        Assert.Equal(different.Count, different.Select(filter => filter.Hash).Distinct().Count());
        // Stable: cursors that were given out carry it.
        Assert.Equal(14453021975337764705UL, TargetFilter.Of(Prefix("/a/")).Hash);
    }

    [Theory]
    [InlineData(EventFilter.None, "put new@1, put new@2, put other@3, delete")]
    [InlineData(EventFilter.NoPuts, "delete")]
    [InlineData(EventFilter.NoDeletes, "put new@1, put new@2, put other@3")]
    [InlineData(EventFilter.OnlyChangedValue, "put new@1, put other@3, delete")]
    [InlineData(EventFilter.OnlyChangedValue | EventFilter.NoDeletes, "put new@1, put other@3")]
    [InlineData(EventFilter.KeysOnly, "put @1, put @2, put @3, delete")]
    public void A_form_leaves_out_and_hides_what_it_says(EventFilter events, string expected)
    {
        var ledger = new Ledger();
        ledger.Watched.Register(Scope.Bucket, Ledger.Silo, default);
        var form = new WatchForm(TargetFilter.Of(WatchTarget.Bucket), events, PreviousValues: false);
        var words = new List<string>();
        foreach (var value in new[] { "new", "new", "other", null })
            foreach (var message in ledger.Commit(("/a", value)))
                foreach (var change in form.Of(new Commit(message.Revision, message.Changes!))?.Changes ?? [])
                    words.Add(change.Kind == ChangeKind.Delete ? "delete" : $"put {Desk.Text(form.ValueOf(change))}@{change.Revision}");
        Assert.Equal(expected, string.Join(", ", words));
    }

    [Fact]
    public void Filters_that_make_no_sense_are_refused()
    {
        Assert.Equal(WatchRefusal.OptionOutOfRange, Bad(new WatchSpec { Target = One("/a"), Filter = EventFilter.NoPuts | EventFilter.NoDeletes }));
        Assert.Equal(WatchRefusal.OptionOutOfRange, Bad(new WatchSpec { Target = One("/a"), Filter = EventFilter.NoPuts | EventFilter.OnlyChangedValue }));
        Assert.Equal(WatchRefusal.OptionOutOfRange, Bad(new WatchSpec { Target = One("/a"), Filter = EventFilter.KeysOnly, PreviousValues = true }));
        Assert.Equal(WatchRefusal.OptionOutOfRange, Bad(new WatchSpec { Target = One("/a"), Filter = (EventFilter)16 }));
        Assert.Equal(WatchRefusal.OptionOutOfRange, Bad(new WatchSpec { Target = One("/a"), ProgressIntervalMs = 99 }));
        Assert.Equal(WatchRefusal.OptionOutOfRange, Bad(new WatchSpec { Target = One("/a"), ProgressIntervalMs = 3_600_001 }));
        Assert.Equal(WatchRefusal.OptionOutOfRange, Bad(new WatchSpec { Target = One("/a"), StaleAfterMs = 99 }));
        Assert.Equal(WatchRefusal.OptionOutOfRange, Bad(new WatchSpec { Target = One("/a"), TargetVersion = -1 }));

        static WatchRefusal Bad(WatchSpec spec) => Assert.Throws<WatchRefusedException>(() => new Desk().Table.Subscribe(spec, 0)).Code;
    }

    private static WatchTarget One(string key) => WatchTarget.Key(Key.Of(key));

    private static WatchTarget Prefix(string prefix) => WatchTarget.Prefix(Key.Of(prefix));

    private static WatchTarget Any(string prefix) => WatchTarget.AnyPrefix(Key.Of(prefix));

    private static WatchRefusedException Refusal(WatchTarget target) => Assert.Throws<WatchRefusedException>(() => TargetFilter.Of(target));

    private static TargetFilter? FilterOf(WatchTarget target)
    {
        try
        {
            return TargetFilter.Of(target);
        }
        catch (WatchRefusedException)
        {
            return null;
        }
    }

    private static Glob? GlobOf(Key pattern)
    {
        try
        {
            return Glob.Parse(pattern);
        }
        catch (WatchRefusedException)
        {
            return null;
        }
    }

    private static WatchTarget AnyTarget(Random random, bool mayBeSeveral) => random.Next(mayBeSeveral ? 8 : 6) switch
    {
        0 => WatchTarget.Key(AnyKey(random)),
        1 => WatchTarget.Prefix(Key.Of([(byte)'/', .. AnyKey(random).Span, (byte)'/'])),
        2 => WatchTarget.AnyPrefix(AnyKey(random)),
        3 => WatchTarget.Range(AnyKey(random), random.Next(4) == 0 ? null : AnyKey(random)),
        4 => WatchTarget.Glob(AnyGlob(random)),
        5 => random.Next(5) == 0 ? WatchTarget.Bucket : WatchTarget.Range(AnyKey(random) is var start ? start : default, KeyRange.Prefix(start).End),
        _ => WatchTarget.Several([.. Enumerable.Range(0, random.Next(1, 5)).Select(_ => AnyTarget(random, mayBeSeveral: false))]),
    };

    private static Key AnyKey(Random random) =>
        Key.Of(Encoding.Latin1.GetBytes(string.Concat(Enumerable.Range(0, random.Next(7)).Select(_ => Alphabet[random.Next(Alphabet.Length)]))));

    private static Key AnyGlob(Random random)
    {
        string[] pieces = ["a", "b", "/", "x", "*", "*", "**", "?", "[ab]", "[!a]", "[a-x]", "\\*", "\\a"];
        return Key.Of(string.Concat(Enumerable.Range(0, random.Next(1, 7)).Select(_ => pieces[random.Next(pieces.Length)])));
    }
}
