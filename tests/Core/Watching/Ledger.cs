using System.Text;
using Watch.Core;
using Watch.Core.Watching;

namespace Watch.Core.Tests.Watching;

/// <summary>
/// A bucket's leader as plainly as it can be written: a list of commits, searched from end to end. It is what the tests hold
/// the table against, so it shares no code with it beyond the types and the leader's own registry of scopes.
/// </summary>
internal sealed class Ledger
{
    private readonly List<Commit> _commits = [];
    private readonly Dictionary<Key, Change> _values = [];

    public const string Silo = "silo-1";

    public WatchedScopes Watched { get; private set; } = new();

    /// <summary>The leader's term.</summary>
    public long Term { get; private set; } = 1;

    public Revision Now => new(_commits.Count);

    /// <summary>The leader's wall clock: it ticks with every commit, so that a time says which commits there were then.</summary>
    public long WallMs => Now.Value + 1;

    public Revision CompactedThrough { get; private set; }

    /// <summary>Commits the changes as one revision; a null value deletes. Returns one message per watched scope.</summary>
    public List<ScopeMessage> Commit(params (string Key, string? Value)[] writes)
    {
        var revision = Now.Next;
        var changes = writes.Select(write => Apply(revision, Key.Of(write.Key), write.Value)).ToList();
        var before = changes.SelectMany(change => ScopesOf(change.Key)).Distinct().ToDictionary(scope => scope, Head);
        _commits.Add(new Commit(revision, changes));
        return [.. before.Select(each => new ScopeMessage(each.Key, each.Value, revision, In(each.Key, changes), Watched.Named(each.Key, revision)))];
    }

    public void Compact(Revision through) => CompactedThrough = Revision.Max(CompactedThrough, Revision.Min(through, Now));

    /// <summary>Another node leads from now on: it knows of no watchers.</summary>
    public void ChangeLeader() => (Watched, Term) = (new WatchedScopes(), Term + 1);

    /// <summary>The silo registers a scope, or a new leader has asked what it watches.</summary>
    public void Register(Scope scope) => Watched.Register(scope, Silo, Head(scope));

    /// <summary>What the leader answers to the silo's question about progress.</summary>
    public BucketProgress Answer(ProgressAsk ask, int headsMax = int.MaxValue, int allMax = int.MaxValue)
    {
        var answer = ask.WantsAll ? Watched.AnswerAll(Silo, allMax) : Watched.Answer(Silo, ask.AckTerm == Term ? ask.AckNumber : 0, headsMax);
        var agrees = Watched.Of(Silo) == (ask.Scopes, ask.ScopesHash);
        return new BucketProgress(Now, CompactedThrough, answer.Heads, answer.More, answer.IsAll, agrees, Term, answer.Number, ConfirmedWallMs: WallMs);
    }

    public Commit At(Revision revision) => _commits[(int)revision.Value - 1];

    public Revision Head(Scope scope) => _commits.LastOrDefault(commit => commit.Changes.Any(change => scope.Contains(change.Key)))?.Revision ?? Revision.None;

    /// <summary>The scope's changes in (after, upTo], compacted or not: what the oracle expects.</summary>
    public List<Commit> Truth(Scope scope, Revision after, Revision upTo) =>
        [.. _commits.Where(commit => commit.Revision > after && commit.Revision <= upTo)
            .Select(commit => new Commit(commit.Revision, In(scope, commit.Changes)))
            .Where(commit => commit.Changes.Count > 0)];

    /// <summary>What a watch of these keys and with this filter has to be told of the revisions in (after, upTo].</summary>
    public List<Change> Truth(WatchTarget target, EventFilter filter, Revision after, Revision upTo) =>
        [.. _commits.Where(commit => commit.Revision > after && commit.Revision <= upTo)
            .SelectMany(commit => commit.Changes)
            .Where(change => NaiveTarget.Takes(target, filter, change))];

    private IEnumerable<Scope> ScopesOf(Key key)
    {
        var scopes = new List<Scope>();
        foreach (var scope in Scope.Of(key))
            if (Watched.IsWatched(scope))
                scopes.Add(scope);
        return scopes;
    }

    private static List<Change> In(Scope scope, IReadOnlyList<Change> changes) => [.. changes.Where(change => scope.Contains(change.Key))];

    private Change Apply(Revision revision, Key key, string? value)
    {
        var before = _values.GetValueOrDefault(key);
        var change = new Change
        {
            Key = key,
            Kind = value is null ? ChangeKind.Delete : ChangeKind.Put,
            Value = value is null ? default : Encoding.UTF8.GetBytes(value),
            PreviousValue = before?.Value,
            Revision = revision,
            CreateRevision = before?.CreateRevision ?? revision,
            Version = value is null ? 0 : (before?.Version ?? 0) + 1,
            CommitTimeMs = 0,
        };
        if (value is null)
            _values.Remove(key);
        else
            _values[key] = change;
        return change;
    }
}
