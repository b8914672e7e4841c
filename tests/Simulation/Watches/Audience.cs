using Watch.Core;
using Watch.Simulation.Tests.Checkers;

namespace Watch.Simulation.Tests.Watches;

/// <summary>Everybody who follows something in a run.</summary>
internal sealed class Audience(ClusterUnderTest cluster)
{
    private readonly WatchDraw _draw = new(cluster.Random);
    private readonly List<WatchActor> _watchers = [];
    private readonly List<DictionaryActor> _dictionaries = [];

    /// <summary>How many watches were begun.</summary>
    public int Count => _watchers.Count + _dictionaries.Count;

    /// <summary>Begins a watch, or a dictionary; done when it has ended.</summary>
    /// <param name="name">Who it is.</param>
    /// <param name="client">What it watches with.</param>
    /// <param name="gone">Done when the process that it runs in has ended.</param>
    public Task AttendAsync(string name, IWatchClient client, Task gone) =>
        WatchDraw.Dictionaries && cluster.Random.Next(4) == 0 ? HoldAsync(name, client, gone) : WatchAsync(name, client, gone);

    /// <summary>Done when every watch that still runs has delivered everything up to its target's last change.</summary>
    public async Task CatchUpAsync(CommittedHistory committed, TimeSpan limit)
    {
        foreach (var watcher in _watchers)
            watcher.Hurry();
        var started = cluster.World.TimeProvider.GetTimestamp();
        while (Behind(committed) is { } behind)
        {
            if (cluster.World.TimeProvider.GetElapsedTime(started) > limit)
                throw new ViolationException($"{limit.TotalSeconds} s after everything was healed the {behind}.{Environment.NewLine}{cluster.Describe()}", ViolationKind.Standstill);
            await cluster.PassAsync(TimeSpan.FromMilliseconds(200));
        }

        foreach (var dictionary in _dictionaries.Where(each => each.IsRunning))
            dictionary.See();
    }

    /// <summary>What is wrong with what was delivered; null where nothing is.</summary>
    public string? Judge(CommittedHistory committed) =>
        _watchers.Select(each => WatchJudge.Check(each.Record, committed.Changes)).Concat(_dictionaries.Select(each => DictionaryJudge.Check(each.Record, committed.Changes))).FirstOrDefault(wrong => wrong is not null);

    private string? Behind(CommittedHistory committed) =>
        _watchers.Where(each => each.IsRunning && each.Record.Cursor < committed.LastChangeOf(each.Record.Target))
            .Select(each => $"{each.Record} stands at {each.Record.Cursor}, and its target last changed in {committed.LastChangeOf(each.Record.Target)}")
            .Concat(_dictionaries.Where(each => each.IsRunning && each.Revision < committed.LastChangeOf(each.Record.Target))
                .Select(each => $"{each.Record} stands at {each.Revision}, and its target last changed in {committed.LastChangeOf(each.Record.Target)}"))
            .FirstOrDefault();

    private Task WatchAsync(string name, IWatchClient client, Task gone)
    {
        var wish = _draw.Wish();
        var watcher = new WatchActor(new WatchRecord(name, wish), _draw.Pace(), _draw.Habits(wish), cluster.Random, gone);
        _watchers.Add(watcher);
        return watcher.RunAsync(client, cluster.World.TimeProvider);
    }

    private Task HoldAsync(string name, IWatchClient client, Task gone)
    {
        var dictionary = new DictionaryActor(new DictionaryRecord(name, _draw.Target()), gone);
        _dictionaries.Add(dictionary);
        return dictionary.RunAsync(client, cluster.World.TimeProvider);
    }
}
