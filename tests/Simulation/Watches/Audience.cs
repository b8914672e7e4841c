using Watch.Core;
using Watch.Simulation.Tests.Checkers;

namespace Watch.Simulation.Tests.Watches;

/// <summary>Somebody who follows something, through as many lives as its process has.</summary>
internal interface IAttendant
{
    /// <summary>Follows it until it ends, or its process does.</summary>
    /// <param name="client">What it watches with.</param>
    /// <param name="clock">Its process's.</param>
    /// <param name="gone">Done when its process has ended.</param>
    Task AttendAsync(IWatchClient client, TimeProvider clock, Task gone);
}

/// <summary>Everybody who follows something in a run.</summary>
internal sealed class Audience(ClusterUnderTest cluster)
{
    private readonly WatchDraw _draw = new(cluster.Random);
    private readonly List<WatchActor> _watchers = [];
    private readonly List<DictionaryActor> _dictionaries = [];

    /// <summary>Somebody who will follow something.</summary>
    public IAttendant Enter(string name)
    {
        if (WatchDraw.Dictionaries && cluster.Random.Next(4) == 0)
        {
            var dictionary = new DictionaryActor(name, _draw.Target());
            _dictionaries.Add(dictionary);
            return dictionary;
        }

        var wish = _draw.Wish();
        var watcher = new WatchActor(new WatchRecord(name, wish), _draw.Pace(), _draw.Habits(wish), cluster.Random);
        _watchers.Add(watcher);
        return watcher;
    }

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

    /// <summary>How many watches needed history that had been given up.</summary>
    public int Overtaken => _watchers.SelectMany(each => each.Records)
        .Count(each => each.End == WatchEndReason.Compacted || each.Batches.Any(batch => batch.Events.Any(step => step is { Type: WatchEventType.SnapshotBegins, Cause: WatchEventCause.Resync })));

    /// <summary>What is wrong with what was delivered; null where nothing is.</summary>
    public string? Judge(CommittedHistory committed) =>
        _watchers.SelectMany(each => each.Records).Select(each => WatchJudge.Check(each, committed.Changes) ?? CheckEnd(each, committed))
            .Concat(_dictionaries.SelectMany(each => each.Records).Select(each => DictionaryJudge.Check(each, committed.Changes))).FirstOrDefault(wrong => wrong is not null);

    /// <summary>A watch ends for a reason that there was.</summary>
    private static string? CheckEnd(WatchRecord watch, CommittedHistory committed) => watch.End switch
    {
        null or WatchEndReason.Disposed or WatchEndReason.ServerStopping => null,
        WatchEndReason.Slow when watch.Wish.WhenSlow == SlowPolicy.Cancel => null,
        WatchEndReason.Compacted when committed.Compacted > watch.Cursor.Value => null,
        WatchEndReason.Compacted => $"Watch: the {watch} ended at {watch.Cursor} as compacted, and history was given up to {committed.Compacted} only.",
        var reason => $"Watch: the {watch} ended at {watch.Cursor} for the reason {reason}, which it had not.",
    };

    private string? Behind(CommittedHistory committed)
    {
        var watches = from each in _watchers
                      where each.IsRunning
                      let last = committed.LastChangeOf(each.Record.Target, each.Record.Wish.Wants)
                      where each.Record.Cursor < last
                      select $"{each.Record} {each.Doing} {each.Changing} and stands at {each.Record.Cursor}; what it follows, {each.Record.Target}, last changed in {last}";
        var dictionaries = from each in _dictionaries
                           where each.IsRunning
                           let last = committed.LastChangeOf(each.Target)
                           where each.Revision < last
                           select $"{each.Record} stands at {each.Revision}, and its target last changed in {last}";
        return watches.Concat(dictionaries).FirstOrDefault();
    }
}
