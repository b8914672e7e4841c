using System.Text;
using Watch.Core;
using Watch.Simulation.Tests.Faults;

namespace Watch.Simulation.Tests.Watches;

/// <summary>Somebody who has a target's content at hand, and writes down every view that it becomes; a new life begins with nothing.</summary>
internal sealed class DictionaryActor(string name, Pattern target) : IAttendant
{
    private readonly List<DictionaryRecord> _records = [];
    private IWatchedDictionary? _dictionary;
    private Task? _gone;

    public Pattern Target => target;

    public IReadOnlyList<DictionaryRecord> Records => _records;

    public DictionaryRecord Record => _records[^1];

    /// <summary>Whether it is kept up to date.</summary>
    public bool IsRunning => _dictionary is { Completion.IsCompleted: false } && !_gone!.IsCompleted;

    /// <summary>What it shows now.</summary>
    public Revision Revision => _dictionary!.Current.Revision;

    public async Task AttendAsync(IWatchClient client, TimeProvider clock, Task gone)
    {
        (_dictionary, _gone) = (null, gone);
        var record = new DictionaryRecord($"{name} ({_records.Count + 1})", target);
        await using var dictionary = await BeginAsync(client, clock);
        _records.Add(record);
        _dictionary = dictionary;
        // The reader is there before the first view is looked at, so no change falls between the two.
        await using var changes = dictionary.ChangesAsync().GetAsyncEnumerator();
        var next = changes.MoveNextAsync();
        See();
        while (await next)
        {
            var change = changes.Current;
            record.Changes.Add((change.Revision.Value, change.Key.ToString(), Text(change.Before), Text(change.After)));
            See();
            next = changes.MoveNextAsync();
        }
    }

    /// <summary>Writes down the view as it is now, if it is another one.</summary>
    public void See()
    {
        var view = _dictionary!.Current;
        if (Record.Sights.Count == 0 || Record.Sights[^1].Revision != view.Revision.Value)
            Record.Sights.Add(new DictionarySight(view.Revision.Value, view.Items.ToDictionary(each => each.Key.ToString(), each => Text(each.Value)!, StringComparer.Ordinal)));
    }

    private async Task<IWatchedDictionary> BeginAsync(IWatchClient client, TimeProvider clock)
    {
        while (true)
        {
            try
            {
                return await client.WatchDictionaryAsync(target.ToTarget());
            }
            catch (WatchException error) when (error.Code is WatchErrorCode.Unavailable or WatchErrorCode.NoQuorum or WatchErrorCode.ShuttingDown or WatchErrorCode.Internal)
            {
                await Passing.On(clock, TimeSpan.FromMilliseconds(300));
            }
        }
    }

    private static string? Text(KeyValue? key) => key is null ? null : Encoding.UTF8.GetString(key.Value.Span);
}
