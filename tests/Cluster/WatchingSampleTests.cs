using System.Runtime.CompilerServices;
using Watch.Core;

namespace Watch.Cluster.Tests;

/// <summary>The code of docs/watching.md: each block stands in here, line by line, and does what the page says.</summary>
public sealed class WatchingSampleTests : IAsyncLifetime
{
    private readonly List<string> _shown = [];
    private readonly CancellationTokenSource _stop = new();
    private WatchCluster? _cluster;
    private int _wanted = int.MaxValue;

    public async Task InitializeAsync() => _cluster = await WatchCluster.StartAsync(silos: 1);

    public async Task DisposeAsync()
    {
        _stop.Dispose();
        await _cluster!.DisposeAsync();
    }

    [Fact]
    public void Every_block_of_code_of_the_page_stands_in_this_file()
    {
        var here = Lines(File.ReadAllText(ThisFile()));
        var page = File.ReadAllText(Path.Combine(DocumentationTests.RepositoryRoot(), "docs", "watching.md")).ReplaceLineEndings("\n");
        var blocks = page.Split("```").Where((_, at) => at % 2 == 1).Select(block => Lines(block["csharp".Length..])).ToList();

        Assert.NotEmpty(blocks);
        Assert.Equal([], blocks.Where(block => !here.Contains(block, StringComparison.Ordinal)));

        static string Lines(string text) => string.Join('\n', text.ReplaceLineEndings("\n").Split('\n').Select(line => line.Trim()).Where(line => line.Length > 0));
    }

    [Fact]
    public async Task Something_is_followed_and_more_of_it_and_the_own_write_arrives()
    {
        var (watch, stop) = (_cluster!.Client, _stop.Token);
        await using var changes = await watch.WatchAsync(WatchTarget.Prefix("/config/"), new WatchOptions { PreviousValues = true });
        var following = Follow();
        var written = await watch.PutAsync("/config/port", "8080");
        await changes.WaitForAsync(written.Revision, stop);
        var from = await changes.AddTargetAsync(WatchTarget.Key("/motd"));
        Show($"after {from} /motd, too");
        await watch.PutAsync("/motd", "hello");
        await following;
        Assert.Equal(["1 Put /config/port", "1 TargetsChanged ", "2 Put /motd", "after 1 /motd, too"], _shown.Where(line => !line.Contains("Progress", StringComparison.Ordinal)).Order(StringComparer.Ordinal));

        async Task Follow()
        {
            await foreach (var change in changes.WithCancellation(stop))
            {
                Show($"{change.Revision} {change.Type} {change.Key}");
                if (change.Key.ToString() == "/motd")
                    break;
            }
        }
    }

    [Fact]
    public async Task What_is_followed_comes()
    {
        _wanted = 1;
        var (watch, stop) = (_cluster!.Client, _stop.Token);
        await WrittenUntilAsync(CanceledAsync(async () =>
        {
            await using var changes = await watch.WatchAsync(WatchTarget.Prefix("/config/"), new WatchOptions { PreviousValues = true });
            await foreach (var change in changes.WithCancellation(stop))
                Show($"{change.Revision} {change.Type} {change.Key}");
        }));
        Assert.Matches("^[0-9]+ Put /config/port$", Assert.Single(_shown));
    }

    [Fact]
    public async Task A_function_is_called()
    {
        _wanted = 1;
        var (watch, stop) = (_cluster!.Client, _stop.Token);
        await using var watcher = watch.CreateWatcher(WatchTarget.Key("/config/port"), async (change, cancel) => await ApplyAsync(change, cancel));
        var running = watcher.RunAsync(stop);
        await watcher.WaitReadyAsync(TimeSpan.FromSeconds(5));
        await watch.PutAsync("/config/port", "8080");
        await CanceledAsync(() => running);
        Assert.Equal(["applied 8080"], _shown);

        ValueTask ApplyAsync(WatchEvent change, CancellationToken cancel)
        {
            Show($"applied {change.Value.Text()}");
            return default;
        }
    }

    [Fact]
    public async Task What_there_is_comes_before_what_changes()
    {
        _wanted = 2;
        var (watch, stop) = (_cluster!.Client, _stop.Token);
        await watch.PutAsync("/config/port", "8080");
        await CanceledAsync(async () =>
        {
            await using var all = await watch.WatchAsync(WatchTarget.Prefix("/config/"), new WatchOptions { Snapshot = true });
            await foreach (var change in all.WithCancellation(stop))
            {
                if (change.IsChange)
                    Show($"{change.Key} {change.Type} ({change.Cause})");
                else if (change.Type == WatchEventType.Synced)
                    Show($"complete at {change.Revision}");
            }
        });
        Assert.Equal(["/config/port Put (Snapshot)", "complete at 1"], _shown);
    }

    [Fact]
    public async Task It_is_at_hand()
    {
        _wanted = 2;
        var (watch, stop) = (_cluster!.Client, _stop.Token);
        await watch.PutAsync("/config/port", "8080");
        var following = CanceledAsync(async () =>
        {
            await using var config = await watch.WatchDictionaryAsync(WatchTarget.Prefix("/config/"));
            var view = config.Current;
            Show($"{view.Items.Count} keys at {view.Revision}{(config.IsStale ? ", perhaps not fresh" : "")}");
            await foreach (var change in config.ChangesAsync(stop))
                Show($"{change.Key} is {(change.After is null ? "gone" : "changed")}");
        });
        await WrittenUntilAsync(following);
        Assert.Matches("^1 keys at [0-9]+$", _shown[0]);
        Assert.Equal("/config/port is changed", _shown[1]);
    }

    [Fact]
    public async Task A_later_watch_goes_on()
    {
        var (watch, stop) = (_cluster!.Client, _stop.Token);
        var written = 0;
        var writing = CanceledAsync(async () =>
        {
            for (; ; written++)
                await watch.PutAsync("/config/port", $"{written}", cancellationToken: stop);
        });
        string kept;
        await using (var today = await watch.WatchAsync(WatchTarget.Prefix("/config/")))
        {
            await foreach (var change in today)
            {
                Show($"{change.Revision}");
                if (IsEnough(change))
                    break;
            }

            kept = today.GetCursor().ToString();
        }

        await using var tomorrow = await watch.WatchAsync(WatchTarget.Prefix("/config/"), new WatchOptions { From = WatchCursor.Parse(kept) });
        await using var reader = tomorrow.Reader();
        Assert.Equal(long.Parse(_shown[^1], System.Globalization.CultureInfo.InvariantCulture) + 1, (await reader.NextAsync()).Revision.Value);
        await _stop.CancelAsync();
        await writing;

        bool IsEnough(WatchEvent change) => _shown.Count == 3;
    }

    [Fact]
    public async Task The_end_says_why()
    {
        _wanted = 1;
        var (watch, stop) = (_cluster!.Client, _stop.Token);
        await using var changes = await watch.WatchAsync(WatchTarget.Prefix("/config/"));
        var following = CanceledAsync(async () =>
        {
            await foreach (var change in changes.WithCancellation(stop))
            {
                if (change.Type == WatchEventType.Canceled)
                    Show($"ended: {change.Reason}; a watch from {change.Revision.Next} goes on without a gap");
            }
        });
        var listed = Assert.Single((await _cluster!.Nodes.ListWatchersAsync()).Watchers);
        Assert.True(await _cluster.Nodes.EndWatcherAsync(listed.Silo, listed.Id));
        await following;
        Assert.Equal(["ended: Removed; a watch from 1 goes on without a gap"], _shown);
    }

    /// <summary>Writes until what waits for it has seen enough: the reader may begin after the first writes.</summary>
    private async Task WrittenUntilAsync(Task enough)
    {
        for (var at = 0; !enough.IsCompleted; at++)
            await _cluster!.Client.PutAsync("/config/port", $"{at}");
        await enough;
    }

    private static async Task CanceledAsync(Func<Task> following)
    {
        try
        {
            await following().WaitAsync(WatchCluster.Patience);
        }
        catch (OperationCanceledException)
        {
            // What the page shows goes on until its token is canceled.
        }
    }

    private void Show(string line)
    {
        lock (_shown)
        {
            if (_shown.Count >= _wanted)
                return;
            _shown.Add(line);
            if (_shown.Count < _wanted)
                return;
        }

        _stop.Cancel();
    }

    private static string ThisFile([CallerFilePath] string here = "") => here;
}
