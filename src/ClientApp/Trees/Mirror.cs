using Watch.ClientApp.CommandLine;
using Watch.Core;

namespace Watch.ClientApp.Trees;

/// <summary>What a mirror does, for whoever looks on.</summary>
internal interface IMirrorReport
{
    /// <summary>The directory holds the prefix as of this revision.</summary>
    void Synchronized(int files, Revision revision);

    /// <summary>The watch is registered: everything after this revision follows.</summary>
    void Following(Revision revision);

    /// <summary>A change is in the directory.</summary>
    void Applied(WatchEvent change);

    /// <summary>The mirror has to read everything again, and why.</summary>
    void StartingOver(string why);
}

/// <summary>
/// Keeps a directory equal to a prefix.
/// </summary>
/// <remarks>
/// Scan at revision S, make the directory equal to that, then follow the events from S + 1: nothing can fall between. After every batch
/// the revision is remembered beside the directory, once its files are on the disk; so a mirror that was stopped or killed goes on where
/// it was, and repeats at most changes that it has made already, which does no harm. A watch that was lost on the way resumes by itself,
/// inside the client library. Where two keys exclude each other as files, what there is now decides, by a scan. Was the mirror away for longer than history reaches back, or is the cluster another one, it scans again.
/// </remarks>
internal sealed class Mirror(IWatchClient client, TreePaths paths, IMirrorReport report)
{
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(500);
    private readonly MirrorDirectory _directory = new(paths);
    private MirrorState _state = new("", "", 0);

    /// <summary>Runs until it is canceled.</summary>
    /// <param name="replace">Whether files that the mirror did not make may be replaced and deleted.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task RunAsync(bool replace, CancellationToken cancellationToken)
    {
        if (!await ContinueAsync(replace, cancellationToken))
            await SynchronizeAsync(cancellationToken);
        while (true)
        {
            var why = await FollowAsync(cancellationToken);
            if (why is null)
                continue;
            report.StartingOver(why);
            await SynchronizeAsync(cancellationToken);
        }
    }

    /// <summary>Takes up where an earlier mirror ended; false when everything has to be read.</summary>
    private async Task<bool> ContinueAsync(bool replace, CancellationToken cancellationToken)
    {
        _directory.Prepare();
        var earlier = MirrorState.Load(paths.Root);
        if (earlier is null)
        {
            if (!replace && !_directory.IsEmpty)
                throw new CommandFailedException($"the directory '{paths.Root}' is not empty and no mirror made it; give an empty or new one, or --replace, which deletes what is not below {paths.Prefix}");
            return false;
        }

        if (earlier.Prefix != paths.Prefix.ToString())
            throw new CommandFailedException($"the directory '{paths.Root}' is the mirror of {earlier.Prefix}, not of {paths.Prefix}; give another one");
        var incarnation = (await client.StatusAsync(cancellationToken)).Incarnation;
        if (incarnation != earlier.Incarnation)
        {
            report.StartingOver("the cluster is not the one that the mirror was made from");
            return false;
        }

        _state = earlier;
        return true;
    }

    private async Task SynchronizeAsync(CancellationToken cancellationToken)
    {
        var (entries, revision) = await WhileAwayAsync(() => client.ScanAllAsync(paths.Prefix, cancellationToken: cancellationToken), cancellationToken);
        var incarnation = (await WhileAwayAsync(() => client.StatusAsync(cancellationToken), cancellationToken)).Incarnation;
        _directory.Replace(entries);
        _state = new MirrorState(paths.Prefix.ToString(), incarnation, revision.Value);
        _state.Save(paths.Root);
        report.Synchronized(entries.Length, revision);
    }

    /// <summary>Follows the prefix until the watch ends; answers why everything has to be read again, or null to go on from the cursor.</summary>
    private async Task<string?> FollowAsync(CancellationToken cancellationToken)
    {
        var from = new Revision(_state.Revision);
        try
        {
            await using var stream = await WhileAwayAsync(() => client.WatchAsync(WatchTarget.Prefix(paths.Prefix), new WatchOptions { StartAt = from.Next }, cancellationToken), cancellationToken);
            report.Following(stream.Start);
            await foreach (var batch in stream.ReadBatchesAsync(cancellationToken))
            {
                Apply(batch);
                if (batch.Events is [.., { Type: WatchEventType.Canceled } end])
                    return AfterEnd(end);
            }
        }
        catch (WatchException error) when (error.Code is WatchErrorCode.Compacted or WatchErrorCode.FutureRevision or WatchErrorCode.IncarnationChanged)
        {
            return error.Message;
        }
        catch (MirrorConflictException conflict)
        {
            // Keys that exclude each other may have been there only for a moment: the scan tells, and ends the mirror where they still are.
            return conflict.Message;
        }

        cancellationToken.ThrowIfCancellationRequested();
        return null;
    }

    private void Apply(WatchBatch batch)
    {
        foreach (var change in batch.Events)
        {
            if (change.Type == WatchEventType.Canceled)
                continue;
            if (change.Type == WatchEventType.Put)
                _directory.Put(change.Key, change.Value.Span);
            else
                _directory.Delete(change.Key);
            report.Applied(change);
        }

        if (batch.Revision.Value <= _state.Revision)
            return;
        _state = _state with { Revision = batch.Revision.Value };
        _state.Save(paths.Root);
    }

    private static string? AfterEnd(WatchEvent end) => end.Reason switch
    {
        WatchEndReason.Slow => null,
        WatchEndReason.Compacted or WatchEndReason.IncarnationChanged => end.Message ?? end.Reason.ToString(),
        _ => throw new CommandFailedException($"the watch of the prefix ended ({end.Reason}): {end.Message}"),
    };

    /// <summary>A read that is tried again while the server is away.</summary>
    private static async Task<T> WhileAwayAsync<T>(Func<Task<T>> read, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                return await read();
            }
            catch (WatchException error) when (KeyWriter.IsPassing(error))
            {
                await Task.Delay(s_pause, cancellationToken);
            }
        }
    }
}
