using Watch.ClientApp.CommandLine;
using Watch.ClientApp.Trees;
using Watch.Core;

namespace Watch.ClientApp.Demo;

/// <summary>
/// Writes, and enters what was acknowledged into the ledger. Where the server was lost under a write, its outcome is unknown and is read
/// back: every key has one writer at a time and every content is new, so the key as it is tells.
/// </summary>
internal sealed class LedgerWriter(IWatchClient client, Ledger ledger, TimeProvider time)
{
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(250);
    private int _unknown;

    /// <summary>How many writes had an unknown outcome that was then read back.</summary>
    public int UnknownCount => Volatile.Read(ref _unknown);

    public async Task<WriteResult> PutAsync(Key key, ReadOnlyMemory<byte> value, CancellationToken cancellationToken)
    {
        var sent = time.GetTimestamp();
        while (true)
        {
            try
            {
                return Enter(await client.PutAsync(key, value, null, cancellationToken), key, value, sent);
            }
            catch (WatchException error) when (error.Code == WatchErrorCode.OutcomeUnknown)
            {
                Interlocked.Increment(ref _unknown);
                var now = (await ReadBackAsync(key, cancellationToken)).Key;
                if (now is not null && now.Value.Span.SequenceEqual(value.Span))
                    return Enter(new WriteResult(WriteStatus.Applied, now.ModRevision, null), key, value, sent);
            }
            catch (WatchException error) when (KeyWriter.IsPassing(error))
            {
                await Task.Delay(s_pause, time, cancellationToken);
            }
        }
    }

    public async Task<WriteResult> DeleteAsync(Key key, CancellationToken cancellationToken)
    {
        var sent = time.GetTimestamp();
        var result = await client.DeleteAsync(key, null, cancellationToken);
        if (result.Status != WriteStatus.Applied)
            throw new CommandFailedException($"key {key} was to be deleted but does not exist");
        return Enter(result, key, null, sent);
    }

    private WriteResult Enter(WriteResult result, Key key, ReadOnlyMemory<byte>? value, long sent)
    {
        ledger.Add(new Acknowledged(result.Revision, key, value, sent, time.GetTimestamp()));
        return result;
    }

    private async Task<GetResult> ReadBackAsync(Key key, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                return await client.GetAsync(key, cancellationToken: cancellationToken);
            }
            catch (WatchException error) when (KeyWriter.IsPassing(error))
            {
                await Task.Delay(s_pause, time, cancellationToken);
            }
        }
    }
}
