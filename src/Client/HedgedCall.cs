namespace Watch.Client;

/// <summary>
/// A call that does not hang on one server: when it has no answer after a moment (<see cref="WatchClientOptions.HedgeAfter"/>), it is asked again
/// by another way while the first may still answer, and the first answer wins. Only for what may be asked twice: reads, and writes
/// that take effect once however often they arrive.
/// </summary>
/// <remarks>
/// H1  A call is asked again only where the way that it took last gives no sign of life: a slow leader is waited for, not asked more often.
///     A way that is no door (a key's own grain) cannot be felt, and counts as silent; the usual one may be a door.
/// H2  What was lost on one way does not end the call while another is open.
/// H3  A refusal ends the call. It is the truth of a read; of a write only while no other sending may have arrived: else the outcome is unknown.
/// H4  What is not waited for any more is observed: it neither shows up as an unobserved failure nor holds anything.
/// </remarks>
internal sealed class HedgedCall<T>(Func<Door?, Task<T>> send, Doors doors, TimeSpan hedgeAfter, TimeProvider time, bool isWrite, Door? usual = null)
{
    private readonly List<Task<T>> _open = [];
    private Door? _last;
    private bool _lost;

    /// <summary>Waits for the first answer.</summary>
    /// <exception cref="TimeoutException">There was none within the limit.</exception>
    public async Task<T> RunAsync(TimeSpan limit, CancellationToken cancellationToken)
    {
        _last = doors.Preferred() ?? usual;
        var first = send(_last);
        _open.Add(first);
        try
        {
            return await first.WaitAsync(limit < hedgeAfter ? limit : hedgeAfter, time, cancellationToken);
        }
        catch (TimeoutException) when (!first.IsCompleted && limit > hedgeAfter)
        {
            return await HedgeAsync(limit - hedgeAfter, cancellationToken);
        }
        finally
        {
            foreach (var each in _open)
                GivenUp.Observe(each);                                      // H4
        }
    }

    private async Task<T> HedgeAsync(TimeSpan limit, CancellationToken cancellationToken)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var over = PassAsync(limit, end.Token);
        var look = LookAsync(TimeSpan.Zero, end.Token);
        try
        {
            while (true)
            {
                var done = await Task.WhenAny([.. _open, look, over]);
                cancellationToken.ThrowIfCancellationRequested();
                if (done == over)
                    throw new TimeoutException($"No answer within {limit + hedgeAfter}, by {_open.Count} ways.");
                if (done == look)
                {
                    if (await look is { } door)
                        _open.Add(send(_last = door));
                    look = LookAsync(hedgeAfter, end.Token);
                }
                else if (IsLastWord((Task<T>)done))
                {
                    return await AnswerAsync((Task<T>)done);
                }
            }
        }
        finally
        {
            end.Cancel();
            GivenUp.Observe(look);
        }
    }

    // A delay by itself tells whoever waits for several things of its cancellation on a thread of the pool; this goes on where it was called.
    private async Task PassAsync(TimeSpan span, CancellationToken cancellationToken) => await Task.Delay(span, time, cancellationToken);

    /// <summary>After a while, whether to ask again and where: null while the last way lives, or no other does (H1).</summary>
    private async Task<Door?> LookAsync(TimeSpan pause, CancellationToken cancellationToken)
    {
        if (pause > TimeSpan.Zero)
            await Task.Delay(pause, time, cancellationToken);
        await doors.FeelAsync();
        return _last is { } last && doors.Answers(last) ? null : doors.Answering();
    }

    private bool IsLastWord(Task<T> done)
    {
        _open.Remove(done);
        if (done.IsCompletedSuccessfully)
            return true;
        // What a server says is an answer, even if it says that it cannot serve now.
        var isLost = done.IsCanceled || (done.Exception!.InnerException is { } error and not WatchException && TransportErrors.IsLost(error, default));
        _lost |= isLost;
        return _open.Count == 0 || !isLost;                                 // H2
    }

    private async Task<T> AnswerAsync(Task<T> done)
    {
        try
        {
            return await done;
        }
        catch (WatchException refused) when (isWrite && (_lost || _open.Count > 0) && refused.Code != WatchErrorCode.OutcomeUnknown)
        {
            throw TransportErrors.OfWrite(refused);                         // H3
        }
    }
}
