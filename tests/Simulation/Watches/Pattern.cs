using Watch.Core;

namespace Watch.Simulation.Tests.Watches;

/// <summary>
/// What a watch follows, in the tests' own words: it says of a key whether it belongs, by the simplest means there are, and shares no code
/// with the product. Keys are of ASCII here, so text and bytes are ordered alike.
/// </summary>
internal abstract record Pattern
{
    /// <summary>Whether a key belongs.</summary>
    public abstract bool Has(string key);

    /// <summary>The same for the product.</summary>
    public abstract WatchTarget ToTarget();

    public sealed record One(string Key) : Pattern
    {
        public override bool Has(string key) => key == Key;

        public override WatchTarget ToTarget() => WatchTarget.Key(Key);

        public override string ToString() => $"key {Key}";
    }

    public sealed record Below(string Prefix) : Pattern
    {
        public override bool Has(string key) => key.StartsWith(Prefix, StringComparison.Ordinal);

        public override WatchTarget ToTarget() => WatchTarget.Prefix(Prefix);

        public override string ToString() => $"prefix {Prefix}";
    }

    public sealed record Beginning(string Text) : Pattern
    {
        public override bool Has(string key) => key.StartsWith(Text, StringComparison.Ordinal);

        public override WatchTarget ToTarget() => WatchTarget.AnyPrefix(Text);

        public override string ToString() => $"any prefix {Text}";
    }

    /// <param name="From">Belongs.</param>
    /// <param name="To">Does not.</param>
    public sealed record Between(string From, string To) : Pattern
    {
        public override bool Has(string key) => string.CompareOrdinal(key, From) >= 0 && string.CompareOrdinal(key, To) < 0;

        public override WatchTarget ToTarget() => WatchTarget.Range(From, To);

        public override string ToString() => $"range {From} to {To}";
    }

    public sealed record Like(string Glob) : Pattern
    {
        public override bool Has(string key) => Fits(Glob, key);

        public override WatchTarget ToTarget() => WatchTarget.Glob(Glob);

        public override string ToString() => $"glob {Glob}";

        private static bool Fits(string glob, string text)
        {
            if (glob.Length == 0)
                return text.Length == 0;
            if (glob.StartsWith("**", StringComparison.Ordinal))
                return Enumerable.Range(0, text.Length + 1).Any(skipped => Fits(glob[2..], text[skipped..]));
            if (glob[0] == '*')
                return Enumerable.Range(0, text.Length + 1).Any(skipped => !text[..skipped].Contains('/', StringComparison.Ordinal) && Fits(glob[1..], text[skipped..]));
            return text.Length > 0 && (glob[0] == text[0] || (glob[0] == '?' && text[0] != '/')) && Fits(glob[1..], text[1..]);
        }
    }

    public sealed record Everything : Pattern
    {
        public override bool Has(string key) => true;

        public override WatchTarget ToTarget() => WatchTarget.Bucket;

        public override string ToString() => "everything";
    }

    public sealed record AnyOf(params IReadOnlyList<Pattern> Parts) : Pattern
    {
        public override bool Has(string key) => Parts.Any(part => part.Has(key));

        public override WatchTarget ToTarget() => WatchTarget.Several([.. Parts.Select(part => part.ToTarget())]);

        public override string ToString() => string.Join(" or ", Parts);
    }
}
