using System.Globalization;
using System.Text;
using Watch.Core.Keyspace;

namespace Watch.Core.Tests.Keyspace;

/// <summary>
/// Plays a bucket's story: each line is a command, then <c>-></c> and the expected answer. Keys and values are texts as in
/// <see cref="KeyText"/>; a commit's time is the number of its line.
/// </summary>
/// <remarks>
/// <code>
/// put KEY VALUE [if absent | if exists | if value V | if revision N]      delete KEY [if …]
/// compact C [forget F]      watch SCOPE      get KEY [@ R]      head SCOPE      count PREFIX [@ R]
/// scan PREFIX [max N] [after KEY] [keys] [@ R]      history SCOPE (AFTER UPTO] [max N]
/// </code>
/// A scope that ends in <c>/</c> is a segment, <c>*</c> the whole bucket, any other a key; <c>key:</c> before it makes it one.
/// </remarks>
internal sealed class Transcript : IWatchedScopes
{
    private readonly BucketState _state = new();
    private readonly HashSet<Scope> _watched = [];
    private int _line;

    public bool Any => _watched.Count > 0;

    public bool IsWatched(Scope scope) => _watched.Contains(scope);

    public static void Play(string story)
    {
        var transcript = new Transcript();
        foreach (var line in story.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            transcript._line++;
            var parts = line.Split("->", 2, StringSplitOptions.TrimEntries);
            var actual = transcript.Run(new Words(parts[0].Split(' ', StringSplitOptions.RemoveEmptyEntries)));
            Assert.True(parts[^1] == actual, $"line {transcript._line}: {parts[0]}\nexpected: {parts[^1]}\nactual:   {actual}");
        }
    }

    private string Run(Words words)
    {
        try
        {
            return words.Next() switch
            {
                "put" => Apply(WriteCommand.Put(words.Key(), words.Bytes(), words.Condition())),
                "delete" => Apply(WriteCommand.Delete(words.Key(), words.Condition())),
                "compact" => Apply(new CompactCommand(words.Revision(), words.Has("forget") ? words.Revision() : null)),
                "watch" => _watched.Add(words.Scope()) ? "ok" : "already",
                "get" => Text(_state.Get(words.Key(), words.At())),
                "head" => _state.HeadOf(words.Scope()).ToString(),
                "count" => _state.Count(KeyRange.Prefix(words.Key()), words.At()).ToString(CultureInfo.InvariantCulture),
                "scan" => Scan(words),
                "history" => History(words),
                var other => throw new ArgumentException($"no command '{other}'"),
            };
        }
        catch (RevisionCompactedException compacted)
        {
            return $"compacted, first {compacted.FirstAvailable}";
        }
        catch (RevisionNotReachedException future)
        {
            return $"not reached, at {future.Current}";
        }
    }

    private string Apply(Command command)
    {
        var outcome = _state.Apply(command, _line, this);
        var text = new StringBuilder($"{outcome.Status} {outcome.Revision}");
        if (command is WriteCommand)
            text.Append(" before ").Append(Text(outcome.Previous));
        foreach (var link in outcome.Links)
            text.Append($", {Text(link.Scope)} after {link.Previous}");
        return text.ToString();
    }

    private string Scan(Words words)
    {
        var prefix = words.Key();
        var page = _state.Scan(KeyRange.Prefix(prefix), new ScanRequest
        {
            KeysMax = words.Has("max") ? words.Number() : int.MaxValue,
            After = words.Has("after") ? words.Key() : null,
            KeysOnly = words.Has("keys"),
            At = words.At(),
        });
        var items = page.Items.Select(item => item.Value.IsEmpty ? $"{item.Key}" : $"{item.Key}={KeyText.Encode(item.Value.Span)}");
        return $"[{string.Join(' ', items)}] at {page.Revision}{(page.More ? ", more" : "")}";
    }

    private string History(Words words)
    {
        var page = _state.History(words.Scope(), words.Revision(), words.Revision(), words.Has("max") ? words.Number() : int.MaxValue, long.MaxValue);
        var changes = page.Commits.SelectMany(commit => commit.Changes).Select(Text);
        return $"[{string.Join("; ", changes)}] to {page.Reached}";
    }

    private static string Text(Change change)
    {
        var previous = change.PreviousValue is { } value ? $" was {KeyText.Encode(value.Span)}" : "";
        var now = change.Kind == ChangeKind.Put ? $"={KeyText.Encode(change.Value.Span)}" : " gone";
        return $"{change.Revision} {change.Key}{now}{previous}";
    }

    private static string Text(KeyValue? item) => item is null
        ? "none"
        : $"{KeyText.Encode(item.Value.Span)} (created {item.CreateRevision}, modified {item.ModRevision}, version {item.Version})";

    private static string Text(Scope scope) =>
        scope == Scope.Bucket ? "*" : scope.Kind == ScopeKind.Key && scope.Text.Span[^1] == '/' ? $"key:{scope.Text}" : scope.Text.ToString();

    private sealed class Words(string[] words)
    {
        private int _at;

        public string Next() => words[_at++];

        public bool Has(string word)
        {
            if (_at == words.Length || words[_at] != word)
                return false;
            _at++;
            return true;
        }

        public int Number() => int.Parse(Next(), CultureInfo.InvariantCulture);

        public Revision Revision() => new(long.Parse(Next().Trim('(', ']'), CultureInfo.InvariantCulture));

        public Revision? At() => Has("@") ? Revision() : null;

        public byte[] Bytes() => KeyText.Decode(Next());

        public Key Key() => Core.Key.Wrap(Next() is var text && text == "*" ? [] : KeyText.Decode(text));

        public Scope Scope()
        {
            var text = Next();
            if (text == "*")
                return Core.Scope.Bucket;
            if (text.StartsWith("key:", StringComparison.Ordinal))
                return Core.Scope.OfKey(Core.Key.Of(text[4..]));
            var key = Core.Key.Wrap(KeyText.Decode(text));
            return text[^1] == '/' ? Core.Scope.OfPrefix(key) : Core.Scope.OfKey(key);
        }

        public Condition? Condition()
        {
            if (!Has("if"))
                return null;
            return Next() switch
            {
                "absent" => Core.Keyspace.Condition.Absent,
                "exists" => Core.Keyspace.Condition.Exists,
                "value" => Core.Keyspace.Condition.ValueEquals(Bytes()),
                "revision" => Core.Keyspace.Condition.RevisionEquals(Revision()),
                var other => throw new ArgumentException($"no condition '{other}'"),
            };
        }
    }
}
