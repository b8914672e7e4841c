namespace Watch.Core.Watching;

/// <summary>
/// A glob pattern over the bytes of a key: <c>*</c> is any run without <c>/</c>, <c>**</c> any run at all, <c>?</c> one byte but
/// <c>/</c>, <c>[a-c]</c> one of these bytes, <c>[!a-c]</c> one of the others, <c>\x</c> the byte x itself. A bracket never matches
/// <c>/</c>. The whole key has to match.
/// </summary>
/// <remarks>
/// Matching keeps the last place of a <c>*</c> and of a <c>**</c> to go back to, and no more: a later star can stand wherever an
/// earlier one of its kind could, so an earlier one need not be tried again. It takes at most the product of both lengths, and no stack.
/// </remarks>
public sealed class Glob : IEquatable<Glob>
{
    /// <summary>The longest pattern, in bytes.</summary>
    public const int BytesMax = 1024;

    private enum Kind : byte
    {
        Byte,
        One,
        Run,
        LongRun,
        Class,
    }

    private readonly Step[] _steps;
    private readonly Key _pattern;

    private Glob(Key pattern, Step[] steps) => (_pattern, _steps) = (pattern, steps);

    /// <summary>The bytes that every matching key begins with.</summary>
    public Key Head => Core.Key.Wrap([.. _steps.TakeWhile(step => step.Kind == Kind.Byte).Select(step => step.Value)]);

    /// <summary>Whether the pattern is plain bytes, so that it matches one key.</summary>
    public bool IsPlain => _steps.All(step => step.Kind == Kind.Byte);

    /// <summary>Whether it matches every key that begins with its head.</summary>
    public bool IsPrefix => _steps.Length > 0 && _steps[^1].Kind == Kind.LongRun && _steps[..^1].All(step => step.Kind == Kind.Byte);

    /// <summary>Reads a pattern.</summary>
    /// <exception cref="WatchRefusedException"><see cref="WatchRefusal.MalformedGlob"/>: it is empty, too long, or not well formed.</exception>
    public static Glob Parse(Key pattern)
    {
        if (pattern.Length is 0 or > BytesMax)
            throw Malformed(pattern, $"it has {pattern.Length} bytes; 1 to {BytesMax} are allowed");
        var steps = new List<Step>();
        for (var at = 0; at < pattern.Length;)
            steps.Add(Next(pattern, ref at));
        return new Glob(pattern, [.. steps]);
    }

    /// <summary>Whether the whole key matches.</summary>
    public bool Matches(Key key)
    {
        var text = key.Span;
        int at = 0, step = 0;
        var (run, runAt, longRun, longRunAt) = (-1, 0, -1, 0);
        while (true)
        {
            if (step < _steps.Length && _steps[step].Kind is Kind.Run or Kind.LongRun)
            {
                // A long run begins anew what a short one may try: what the short one left open, the long one covers.
                if (_steps[step].Kind == Kind.LongRun)
                    (longRun, longRunAt, run) = (step, at, -1);
                else
                    (run, runAt) = (step, at);
                step++;
            }
            else if (at < text.Length && step < _steps.Length && _steps[step].Takes(text[at]))
                (at, step) = (at + 1, step + 1);
            else if (at == text.Length && step == _steps.Length)
                return true;
            else if (run >= 0 && runAt < text.Length && text[runAt] != (byte)'/')
                (at, step) = (++runAt, run + 1);
            else if (longRun >= 0 && longRunAt < text.Length)
                (at, step, run) = (++longRunAt, longRun + 1, -1);
            else
                return false;
        }
    }

    /// <inheritdoc/>
    public bool Equals(Glob? other) => other is not null && _pattern == other._pattern;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as Glob);

    /// <inheritdoc/>
    public override int GetHashCode() => _pattern.GetHashCode();

    /// <summary>The pattern.</summary>
    public override string ToString() => _pattern.ToString();

    internal Key Pattern => _pattern;

    private static Step Next(Key pattern, ref int at)
    {
        var text = pattern.Span;
        switch (text[at++])
        {
            case (byte)'*':
                var first = at;
                while (at < text.Length && text[at] == (byte)'*')
                    at++;
                return new Step(at == first ? Kind.Run : Kind.LongRun, 0, null);
            case (byte)'?':
                return new Step(Kind.One, 0, null);
            case (byte)'[':
                return Class(pattern, ref at);
            case (byte)'\\':
                return new Step(Kind.Byte, Escaped(pattern, ref at), null);
            default:
                return new Step(Kind.Byte, text[at - 1], null);
        }
    }

    private static Step Class(Key pattern, ref int at)
    {
        var text = pattern.Span;
        var isNegated = at < text.Length && text[at] == (byte)'!';
        if (isNegated)
            at++;
        var members = new bool[256];
        for (var isEmpty = true; ; isEmpty = false)
        {
            if (at == text.Length)
                throw Malformed(pattern, "a bracket is not closed");
            if (text[at] == (byte)']')
            {
                if (isEmpty)
                    throw Malformed(pattern, "a bracket is empty");
                at++;
                break;
            }

            var from = Member(pattern, ref at);
            var to = from;
            if (at + 1 < text.Length && text[at] == (byte)'-' && text[at + 1] != (byte)']')
            {
                at++;
                to = Member(pattern, ref at);
            }

            if (to < from)
                throw Malformed(pattern, "a range in a bracket runs backwards");
            members.AsSpan(from, to - from + 1).Fill(true);
        }

        for (var i = 0; i < members.Length; i++)
            members[i] ^= isNegated;
        members['/'] = false;
        return new Step(Kind.Class, 0, members);
    }

    private static byte Member(Key pattern, ref int at) =>
        pattern.Span[at++] is var value && value == (byte)'\\' ? Escaped(pattern, ref at) : value;

    private static byte Escaped(Key pattern, ref int at) =>
        at < pattern.Length ? pattern.Span[at++] : throw Malformed(pattern, "a backslash ends it");

    private static WatchRefusedException Malformed(Key pattern, string problem) =>
        new(WatchRefusal.MalformedGlob, $"The glob '{(pattern.Length > BytesMax ? "…" : pattern.ToString())}' is malformed: {problem}.");

    private readonly record struct Step(Kind Kind, byte Value, bool[]? Members)
    {
        public bool Takes(byte value) => Kind switch
        {
            Kind.Byte => value == Value,
            Kind.One => value != (byte)'/',
            Kind.Class => Members![value],
            _ => false,
        };
    }
}
