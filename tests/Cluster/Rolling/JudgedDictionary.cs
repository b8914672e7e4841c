using Watch.Core;
using Watch.Simulation.Tests.Watches;

namespace Watch.Cluster.Tests.Rolling;

/// <summary>Somebody who has a target's content at hand, and writes down every view that it becomes and every change that it tells.</summary>
internal sealed class JudgedDictionary : IJudged
{
    private readonly Pattern _target;
    private readonly IWatchedDictionary _dictionary;
    private readonly Lock _gate = new();
    private readonly DictionaryRecord _record;
    private Task _reading = Task.CompletedTask;

    private JudgedDictionary(string name, Pattern target, IWatchedDictionary dictionary) => (_target, _dictionary, _record) = (target, dictionary, new DictionaryRecord(name, target));

    public WatchEndReason? End { get; private set; }

    public bool WasSlow => false;

    public static async Task<IJudged> BeginAsync(IWatchClient client, string where, Pattern target)
    {
        var judged = new JudgedDictionary(where, target, await client.WatchDictionaryAsync(target.ToTarget()));
        // The reader is there before the first view is looked at, so no change falls between the two. It ends with the dictionary.
        var changes = judged._dictionary.ChangesAsync().GetAsyncEnumerator();
        var first = changes.MoveNextAsync();
        judged.See();
        judged._reading = judged.ReadAsync(changes, first);
        return judged;
    }

    public async Task ReachesEndAsync(List<CommittedChange> history)
    {
        var last = new Revision(history.FindLast(change => _target.Has(change.Key))?.Revision ?? 0);
        try
        {
            await Task.WhenAny(_dictionary.WaitForAsync(last), _dictionary.Completion).WaitAsync(WatchCluster.Patience);
        }
        catch (TimeoutException)
        {
            Assert.Fail($"the {_record} stands at {_dictionary.Current.Revision} and was told nothing more for {WatchCluster.Patience}; its target last changed in {last}");
        }

        End = _dictionary.Completion.IsCompleted ? await _dictionary.Completion : null;
        See();
        // Its reader has then all that was told, and the last view.
        await _dictionary.DisposeAsync();
        await _reading;
    }

    public int CountEvents()
    {
        lock (_gate)
            return _record.Changes.Count;
    }

    public string? Judge(IReadOnlyList<CommittedChange> history)
    {
        lock (_gate)
            return DictionaryJudge.Check(_record, history);
    }

    public override string ToString() => _record.ToString();

    private async Task ReadAsync(IAsyncEnumerator<DictionaryChange> changes, ValueTask<bool> next)
    {
        await using var closing = changes;
        for (; await next; next = changes.MoveNextAsync())
        {
            lock (_gate)
                _record.Changes.Add((changes.Current.Revision.Value, changes.Current.Key.ToString(), changes.Current.Before?.Value.Text(), changes.Current.After?.Value.Text()));
            See();
        }
    }

    /// <summary>Writes down the view as it is now, if it is another one.</summary>
    private void See()
    {
        lock (_gate)
        {
            var view = _dictionary.Current;
            if (_record.Sights.Count == 0 || _record.Sights[^1].Revision != view.Revision.Value)
                _record.Sights.Add(new DictionarySight(view.Revision.Value, view.Items.ToDictionary(each => each.Key.ToString(), each => each.Value.Value.Text(), StringComparer.Ordinal)));
        }
    }
}
