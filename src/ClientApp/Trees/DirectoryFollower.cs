using System.Collections.Concurrent;
using System.Threading.Channels;

namespace Watch.ClientApp.Trees;

/// <summary>
/// Tells which paths of a directory have changed, without promising what became of them: whoever hears of a path looks for himself.
/// Notices of one path that nobody has looked at yet are one. When the system lost notices, the empty path is told: everything may have
/// changed.
/// </summary>
internal sealed class DirectoryFollower : IDisposable
{
    private const int BufferBytes = 64 << 10;

    private static readonly TimeSpan s_quiet = TimeSpan.FromSeconds(5);

    private readonly FileSystemWatcher _watcher;
    private readonly TreePaths _paths;
    private readonly ConcurrentDictionary<string, byte> _changed = new(StringComparer.Ordinal);
    private readonly Channel<bool> _wakeUp = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    /// <summary>Follows from now on: what is read of the directory afterwards and what is told make the whole.</summary>
    public DirectoryFollower(TreePaths paths)
    {
        _paths = paths;
        _watcher = new FileSystemWatcher(paths.Root)
        {
            IncludeSubdirectories = true,
            InternalBufferSize = BufferBytes,
            NotifyFilter = NotifyFilters.FileName | NotifyFilters.DirectoryName | NotifyFilters.LastWrite | NotifyFilters.Size,
        };
        _watcher.Created += (_, change) => Tell(change.FullPath);
        _watcher.Changed += (_, change) => Tell(change.FullPath);
        _watcher.Deleted += (_, change) => Tell(change.FullPath);
        _watcher.Renamed += (_, change) =>
        {
            Tell(change.OldFullPath);
            Tell(change.FullPath);
        };
        _watcher.Error += (_, _) => Tell(paths.Root);
        _watcher.EnableRaisingEvents = true;
    }

    /// <summary>
    /// Waits for changes; answers with the paths, relative to the directory. None after a while of quiet: notices can stop for good
    /// without a word, for example after a directory was moved away, so whoever follows has to look around then.
    /// </summary>
    public async Task<IReadOnlyList<string>> NextAsync(CancellationToken cancellationToken)
    {
        using var quiet = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        quiet.CancelAfter(s_quiet);
        try
        {
            await _wakeUp.Reader.ReadAsync(quiet.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return [];
        }

        var taken = new List<string>();
        foreach (var path in _changed.Keys)
            if (_changed.TryRemove(path, out _))
                taken.Add(path);
        return taken;
    }

    public void Dispose() => _watcher.Dispose();

    private void Tell(string fullPath)
    {
        var path = _paths.RelativePath(fullPath);
        _changed[path] = 0;
        _wakeUp.Writer.TryWrite(true);
    }
}
