using Watch.Core.Keyspace;

namespace Watch.Core.Tests.Keyspace;

/// <summary>
/// What a bucket should be, written as plainly as can be: every change ever made in one list, and every answer found by
/// looking through all of it. It shares no code with the state but the vocabulary.
/// </summary>
internal sealed class Model
{
    public List<Change> Changes { get; } = [];

    public long Revision { get; private set; }

    public long Compacted { get; private set; }

    public long Forgotten { get; private set; }

    private readonly Dictionary<Scope, long> _heads = [];

    public ApplyStatus Write(WriteCommand write, long time, out Change? previous, out Dictionary<Scope, long> links)
    {
        links = [];
        previous = At(write.Key, Revision);
        if (write.Condition is { } condition && !Holds(condition, previous))
            return ApplyStatus.ConditionFailed;
        if (write.Kind == ChangeKind.Delete && previous is null)
            return ApplyStatus.Unchanged;

        foreach (var scope in ScopesOf(write.Key))
            links[scope] = HeadOf(scope);

        Revision++;
        Changes.Add(new Change
        {
            Key = write.Key,
            Kind = write.Kind,
            Value = write.Value,
            PreviousValue = previous?.Value,
            Revision = new Revision(Revision),
            CreateRevision = previous?.CreateRevision ?? new Revision(Revision),
            Version = write.Kind == ChangeKind.Delete ? 0 : previous is null ? 1 : previous.Version + 1,
            CommitTimeMs = time,
            Cause = write.Kind == ChangeKind.Delete ? ChangeCause.Delete : ChangeCause.Put,
            Writer = write.Writer,
        });
        foreach (var scope in links.Keys)
            _heads[scope] = Revision;

        return ApplyStatus.Applied;
    }

    public void Compact(long through, long forgetThrough)
    {
        if (through <= Compacted || through > Revision)
            return;
        Compacted = through;
        Forgotten = Math.Max(Forgotten, Math.Min(forgetThrough, through));
        foreach (var (scope, head) in _heads.ToList())
        {
            var live = Keys().Any(key => ScopesOf(key).Contains(scope) && At(key, Revision) is not null);
            if (!live && head <= Forgotten && scope != Scope.Bucket)
                _heads.Remove(scope);
        }
    }

    public long HeadOf(Scope scope) => scope == Scope.Bucket ? Revision : _heads.GetValueOrDefault(scope, Forgotten);

    public IEnumerable<Key> Keys() => Changes.Select(change => change.Key).Distinct();

    public Change? At(Key key, long revision) =>
        Changes.LastOrDefault(change => change.Key == key && change.Revision.Value <= revision) is { Kind: ChangeKind.Put } put ? put : null;

    public List<Change> Range(KeyRange range, long revision) =>
        [.. Keys().Where(key => key >= range.Start && (range.End is null || key < range.End.Value)).Select(key => At(key, revision)).OfType<Change>().OrderBy(change => change.Key)];

    public List<Change> History(Scope scope, long after, long upTo) =>
        [.. Changes.Where(change => change.Revision.Value > after && change.Revision.Value <= upTo && ScopesOf(change.Key).Contains(scope))];

    public static HashSet<Scope> ScopesOf(Key key)
    {
        var scopes = new HashSet<Scope> { new(ScopeKind.Key, key), new(ScopeKind.Prefix, Key.Empty) };
        var slashes = Enumerable.Range(0, key.Length).Where(at => key.Span[at] == '/').Take(32).ToList();
        foreach (var slash in slashes)
            scopes.Add(new Scope(ScopeKind.Prefix, Key.Of(key.Span[..(slash + 1)])));
        return scopes;
    }

    private static bool Holds(Condition condition, Change? present) => condition.Kind switch
    {
        ConditionKind.Absent => present is null,
        ConditionKind.Exists => present is not null,
        ConditionKind.RevisionEquals => condition.Revision.Value == (present is null ? 0 : present.Revision.Value),
        _ => present is not null && present.Value.ToArray().SequenceEqual(condition.Value.ToArray()),
    };
}

/// <summary>Random commands over few keys, so that they meet: deletes of what is there, conditions that hold, keys that come back.</summary>
internal sealed class RandomCommands(Random random, Model model)
{
    public static readonly IReadOnlyList<Key> KeyPool =
    [
        Key.Of("a"), Key.Of("ab"), Key.Of("/"), Key.Of("//"), Key.Of("/a"), Key.Of("/a/"), Key.Of("/a/b"), Key.Of("/a/c"), Key.Of("/a/b/c"),
        Key.Of("/a/b/d"), Key.Of("/b/x/1"), Key.Of("/b/x/2"), Key.Of("a/b"), Key.Of([0xFF]), Key.Of([0xFF, 0xFF]), Key.Of([0x00]),
        Key.Of([(byte)'/', 0xFF, (byte)'/', 0x00]), Key.Of(string.Concat(Enumerable.Repeat("d/", 31)) + "leaf"),
        Key.Of(string.Concat(Enumerable.Repeat("d/", 33)) + "leaf"), Key.Of(string.Concat(Enumerable.Repeat("d/", 33)) + "other"),
    ];

    public Key AnyKey() => KeyPool[random.Next(KeyPool.Count)];

    public Scope AnyScope()
    {
        var scopes = Model.ScopesOf(AnyKey()).ToList();
        return scopes[random.Next(scopes.Count)];
    }

    public KeyRange AnyRange() => random.Next(4) switch
    {
        0 => KeyRange.All,
        1 => KeyRange.Prefix(Key.Of(AnyKey().Span[..1])),
        2 => AnyScope().Range,
        _ => new KeyRange(AnyKey(), AnyKey()),
    };

    public Command Next()
    {
        if (random.Next(25) == 0)
        {
            var through = random.NextInt64(model.Compacted, model.Revision + 2);
            return new CompactCommand(new Revision(through), random.Next(2) == 0 ? null : new Revision(random.NextInt64(through + 1)));
        }

        var key = AnyKey();
        return random.Next(3) == 0 ? WriteCommand.Delete(key, AnyCondition(key)) : WriteCommand.Put(key, Value(), AnyCondition(key));
    }

    private Condition? AnyCondition(Key key)
    {
        var present = model.At(key, model.Revision);
        return random.Next(10) switch
        {
            0 => Condition.Absent,
            1 => Condition.Exists,
            2 => Condition.ValueEquals(random.Next(4) == 0 ? Value() : present?.Value ?? Value()),
            3 => Condition.RevisionEquals(random.Next(4) == 0 ? new Revision(random.Next(20)) : present?.Revision ?? Revision.None),
            _ => null,
        };
    }

    // Values repeat, so that conditions on them hold now and then and a put of the present value happens.
    private byte[] Value() => [.. Enumerable.Repeat((byte)random.Next(3), random.Next(4))];
}
