using Watch.ClientApp.CommandLine;
using Watch.Core;

namespace Watch.ClientApp.Trees;

/// <summary>
/// Writes that are tried again while the server is away: whoever puts a file's content means its last content, so to put it twice does
/// no harm. Thread-safe.
/// </summary>
internal sealed class KeyWriter(IWatchClient client)
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(500);

    public Task<WriteResult> PutAsync(Key key, ReadOnlyMemory<byte> value, CancellationToken cancellationToken) =>
        RetryAsync(() => client.PutAsync(key, value, null, cancellationToken), cancellationToken);

    public Task<WriteResult> DeleteAsync(Key key, CancellationToken cancellationToken) =>
        RetryAsync(() => client.DeleteAsync(key, null, cancellationToken), cancellationToken);

    /// <summary>Whether it may succeed when it is tried again.</summary>
    public static bool IsPassing(WatchException error) => error.Code is
        WatchErrorCode.NoQuorum or WatchErrorCode.OutcomeUnknown or WatchErrorCode.Busy or WatchErrorCode.ShuttingDown or WatchErrorCode.Unavailable;

    private static async Task<WriteResult> RetryAsync(Func<Task<WriteResult>> write, CancellationToken cancellationToken)
    {
        var begun = TimeProvider.System.GetTimestamp();
        while (true)
        {
            try
            {
                return await write();
            }
            catch (WatchException error) when (IsPassing(error))
            {
                if (TimeProvider.System.GetElapsedTime(begun) > s_patience)
                    throw new CommandFailedException($"the server did not come back within {s_patience.TotalSeconds:F0} s: {error.Message}");
                await Task.Delay(s_pause, cancellationToken);
            }
        }
    }
}
