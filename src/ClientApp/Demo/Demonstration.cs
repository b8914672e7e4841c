using Watch.ClientApp.CommandLine;
using Watch.ClientApp.Output;
using Watch.ClientApp.Trees;
using Watch.Core;

namespace Watch.ClientApp.Demo;

/// <summary>What came of it.</summary>
/// <param name="Failures">What was not as it should be; empty when all was verified.</param>
/// <param name="Counts">How much there was of everything.</param>
/// <param name="Latencies">How long things took.</param>
internal sealed record DemoResult(
    IReadOnlyList<string> Failures,
    IReadOnlyList<(string Name, long Count)> Counts,
    IReadOnlyList<(string Name, Percentiles Latency)> Latencies);

/// <summary>
/// The main job on real input: a tree is imported and mirrored while it changes, the server dies once in the middle, watchers look on.
/// </summary>
/// <remarks>
/// All that is verified at the end is verified against the ledger, which holds nothing but the server's acknowledgements. The changes
/// are drawn from a seed, which the first line names.
/// </remarks>
internal sealed class Demonstration(DemoView view, TimeProvider time, string source, string folder, int seed)
{
    private const string Prefix = "/demo/";
    private const int ChangesPerRound = 60;
    private const int SlowQueue = 4;
    private const int SlowBehind = 40;
    private const int PutsAtKill = 8;
    private static readonly TimeSpan s_catchUp = TimeSpan.FromSeconds(30);

    private readonly Ledger _ledger = new();
    private readonly DemoTree _tree = new(Path.Combine(folder, "source"), new Random(seed));
    private readonly string _mirrored = Path.Combine(folder, "mirror");
    private readonly List<Task> _lookersOn = [];
    private int _pendingAtKill;

    public async Task<DemoResult> RunAsync(CancellationToken cancellationToken)
    {
        view.Begin($"copying {source} (seed {seed})");
        Directory.CreateDirectory(_tree.Root);
        var files = _tree.CopyFrom(source);
        if (files == 0)
            throw new CommandFailedException($"the directory '{source}' has no files of at most {DemoTree.FileBytesMax} bytes to show anything with");

        await using var silo = new DemoSilo(Path.Combine(folder, "data"));
        view.Begin($"starting a server for {files} files");
        view.Begin(await silo.StartAsync(cancellationToken));
        await using var writing = await Connection.OpenAsync(silo.Address, cancellationToken);
        await using var watching = await Connection.OpenAsync(silo.Address, cancellationToken);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        try
        {
            var play = PlayAsync(silo, writing.Client, watching.Client, end);
            if (await Task.WhenAny(play, silo.Lost) == play)
                return await play;
            await end.CancelAsync();
            await ((Task)play).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
            throw new CommandFailedException(await silo.Lost);
        }
        finally
        {
            await end.CancelAsync();
            foreach (var each in _lookersOn)
                await each.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        }
    }

    private async Task<DemoResult> PlayAsync(DemoSilo silo, IWatchClient writing, IWatchClient watching, CancellationTokenSource end)
    {
        var token = end.Token;
        var paths = new TreePaths(_tree.Root, Prefix);
        var writer = new LedgerWriter(writing, _ledger, time);
        var failed = new ImportFailures();
        var importer = new Importer(paths, new TreeWriter(writer.PutAsync, writer.DeleteAsync), failed);
        var favourite = _tree.Paths()[0];

        var exact = new Witness("exact key", WatchTarget.Key(paths.KeyOf(favourite)), new WatchOptions(), time);
        var previous = new Witness("prefix with previous values", WatchTarget.Prefix(Prefix), new WatchOptions { PreviousValues = true, QueueEventsMax = 100_000 }, time);
        var slow = new Witness("slow, small queue", WatchTarget.Prefix(Prefix), new WatchOptions { WhenSlow = SlowPolicy.Cancel, QueueEventsMax = SlowQueue }, time);
        var mirror = new MirrorProgress();
        view.Gauges = () =>
        [
            ("acknowledged writes", $"{_ledger.Count}"), ("applied by the mirror", $"{mirror.Count}"),
            (exact.Name, $"{exact.Count}"), (previous.Name, $"{previous.Count}"), (slow.Name, slow.End is null ? $"{slow.Count}" : "canceled: slow"),
        ];

        view.Begin("registering a mirror and two watchers");
        _lookersOn.Add(new Mirror(watching, new TreePaths(_mirrored, Prefix), mirror).RunAsync(replace: false, token));
        await JoinAsync(watching, exact, null, token);
        await JoinAsync(watching, previous, null, token);

        view.Begin("importing the tree");
        await importer.PutAllAsync(importer.List(), token);
        view.Begin($"{ChangesPerRound} edits, additions and deletions; one watcher does not read");
        var behind = _ledger.Count + SlowBehind;
        await JoinAsync(watching, slow, () => _ledger.WhenCountAsync(behind, token), token);
        await ChangeAsync(importer, favourite, token);
        await KillAndRestartAsync(silo, importer, favourite, token);
        view.Begin($"{ChangesPerRound} more changes");
        await ChangeAsync(importer, favourite, token);

        view.Begin("waiting for the mirror and the watchers");
        // What the server itself still has, after the restart: all of history, and below all keys.
        var history = new Witness("all from revision 1", WatchTarget.Prefix(Prefix), new WatchOptions { StartAt = new Revision(1), QueueEventsMax = 100_000 }, time);
        await JoinAsync(watching, history, null, token);
        return await VerifyAsync(writing, writer, failed, mirror, [exact, previous, slow, history], token);
    }

    private async Task JoinAsync(IWatchClient client, Witness witness, Func<Task>? readAfter, CancellationToken cancellationToken)
    {
        _lookersOn.Add(witness.RunAsync(client, readAfter, cancellationToken));
        await witness.Registered.WaitAsync(cancellationToken);
    }

    private async Task ChangeAsync(Importer importer, string favourite, CancellationToken cancellationToken)
    {
        for (var i = 0; i < ChangesPerRound; i++)
        {
            // Every tenth change is the exact key's.
            var path = i % 10 == 0 ? _tree.Edit(favourite) : _tree.Change(favourite);
            await importer.ReconcileAsync(path, cancellationToken);
        }
    }

    /// <summary>Kills the server while several puts are under way: what was acknowledged must be there afterwards, what was not is read back.</summary>
    private async Task KillAndRestartAsync(DemoSilo silo, Importer importer, string favourite, CancellationToken cancellationToken)
    {
        view.Begin("killing the server while it is written to");
        var edited = _tree.Paths().Where(each => each != favourite).Take(PutsAtKill).Append(favourite).Select(_tree.Edit).ToList();
        var enough = _ledger.WhenCountAsync(_ledger.Count + 2, cancellationToken);
        var puts = edited.Select(path => importer.ReconcileAsync(path, cancellationToken)).ToList();
        await Task.WhenAny(enough, Task.WhenAll(puts));
        _pendingAtKill = puts.Count(each => !each.IsCompleted);
        await silo.KillAsync(cancellationToken);
        view.Begin($"killed with {_pendingAtKill} of {puts.Count} puts under way; starting it again on the same data");
        await silo.StartAsync(cancellationToken);
        await Task.WhenAll(puts);
    }

    private async Task<DemoResult> VerifyAsync(IWatchClient client, LedgerWriter writer, ImportFailures failed, MirrorProgress mirror, IReadOnlyList<Witness> witnesses, CancellationToken cancellationToken)
    {
        var ledger = _ledger.All();
        var failures = failed.All.ToList();
        foreach (var witness in witnesses)
        {
            var scope = witness.Scope;
            await CatchUpAsync(witness.Name, witness.WhenSeenAsync(ledger.Last(each => scope.Contains(each.Key)).Revision, cancellationToken), failures);
        }

        await CatchUpAsync("the mirror", mirror.WhenAppliedAsync(ledger[^1].Revision, cancellationToken), failures);
        view.Begin("verifying");
        var status = await client.StatusAsync(cancellationToken);
        failures.AddRange(_ledger.Duplicates);
        failures.AddRange(Verifier.CheckLedger(ledger, status.Revision));
        failures.AddRange(Verifier.CheckState((await client.ScanAllAsync(Key.Of(Prefix), cancellationToken: cancellationToken)).Keys, ledger));
        foreach (var witness in witnesses)
            failures.AddRange(Verifier.CheckWitness(witness, ledger));
        failures.AddRange(Verifier.CompareTrees(_tree.Root, _mirrored));
        failures.AddRange(witnesses.SelectMany(CheckEnd));
        return new DemoResult(failures, Counts(ledger, writer, mirror, witnesses), Latencies(ledger, witnesses));
    }

    private async Task CatchUpAsync(string who, Task caughtUp, List<string> failures)
    {
        var gone = _lookersOn.FirstOrDefault(each => each.IsFaulted);
        if (gone is not null)
            failures.Add($"a watcher failed: {gone.Exception!.GetBaseException().Message}");
        try
        {
            await caughtUp.WaitAsync(s_catchUp, time);
        }
        catch (TimeoutException)
        {
            failures.Add($"{who} did not catch up within {s_catchUp.TotalSeconds:F0} s");
        }
    }

    private static IEnumerable<string> CheckEnd(Witness witness)
    {
        if (witness.IsHistory && witness.Start != Revision.None)
            yield return $"{witness.Name}: it began after revision {witness.Start}";
        var expected = witness.Name.StartsWith("slow", StringComparison.Ordinal) ? WatchEndReason.Slow : WatchEndReason.None;
        var actual = witness.End?.Reason ?? WatchEndReason.None;
        if (actual != expected)
            yield return $"{witness.Name}: it should have ended with {expected}, but ended with {actual} {witness.End?.Message}";
    }

    private List<(string, long)> Counts(IReadOnlyList<Acknowledged> ledger, LedgerWriter writer, MirrorProgress mirror, IReadOnlyList<Witness> witnesses) =>
    [
        ("puts acknowledged", ledger.Count(each => each.IsPut)),
        ("deletes acknowledged", ledger.Count(each => !each.IsPut)),
        ("bytes put", ledger.Sum(each => (long)(each.Value?.Length ?? 0))),
        ("puts under way when the server was killed", _pendingAtKill),
        ("writes of unknown outcome, read back", writer.UnknownCount),
        ("changes applied by the mirror", mirror.Count),
        .. witnesses.Select(each => ($"events: {each.Name}", (long)each.Count)),
    ];

    private List<(string, Percentiles)> Latencies(IReadOnlyList<Acknowledged> ledger, IReadOnlyList<Witness> witnesses)
    {
        var sent = ledger.ToDictionary(each => each.Revision, each => each.SentAt);
        var latencies = new List<(string, Percentiles)>
        {
            ("write, sent to acknowledged", Percentiles.Of(ledger.Select(each => time.GetElapsedTime(each.SentAt, each.AcknowledgedAt).TotalMilliseconds))),
        };
        foreach (var witness in witnesses.Where(each => each.End is null && !each.IsHistory))
        {
            var delays = witness.Seen.Where(each => sent.ContainsKey(each.Event.Revision)).Select(each => time.GetElapsedTime(sent[each.Event.Revision], each.At).TotalMilliseconds);
            latencies.Add(($"write sent to event: {witness.Name}", Percentiles.Of(delays)));
        }

        return latencies;
    }

    /// <summary>Files that could not be imported: here, none may fail.</summary>
    private sealed class ImportFailures : IImportReport
    {
        private readonly List<string> _all = [];

        public IReadOnlyList<string> All
        {
            get
            {
                lock (_all)
                    return [.. _all];
            }
        }

        public void Put(Key key, long bytes, Revision revision)
        {
            // The ledger has it.
        }

        public void Deleted(Key key, Revision revision)
        {
            // The ledger has it.
        }

        public void Failed(string path, string why)
        {
            lock (_all)
                _all.Add($"not imported: {path}: {why}");
        }
    }
}
