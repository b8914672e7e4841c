using Orleans;
using Watch.Interfaces;

namespace Watch.Client;

/// <summary>
/// Where a client's watches get their sessions, and how they notice that the server of one fell silent. A session's id is drawn by chance,
/// and with it the server that it is bound to; while some door is silent, several are drawn and the first that gives a sign of life is
/// taken, so that a watch that left a frozen server does not come back to it. Thread-safe.
/// </summary>
internal sealed class Sessions(IGrainFactory grains, Doors doors, WatchClientOptions options, TimeProvider time, IWatchRandom random)
{
    /// <summary>
    /// How many are drawn at once while some server is silent. With one of three frozen two of three draws are good: eight leave
    /// one chance in several thousand that none is.
    /// </summary>
    private const int DrawnAtOnce = 8;

    /// <summary>A session that nobody has used.</summary>
    public async Task<IWatchSessionGrain> NewAsync(CancellationToken cancellationToken)
    {
        if (doors.Preferred() is null)
            return Draw();
        var drawn = Enumerable.Range(0, DrawnAtOnce).Select(_ => Draw()).ToList();
        var answers = drawn.Select(async session => await GivesSignAsync(session, epoch: 0, cancellationToken) ? session : null).ToList();
        while (answers.Count > 0)
        {
            var done = await Task.WhenAny(answers);
            if (await done is { } session)
                return session;
            answers.Remove(done);
        }

        return drawn[0];
    }

    /// <summary>
    /// Waits for a session's answer as long as it lives; whenever it was quiet for so long it is asked for a sign of life. Where its silo is
    /// gone, another may answer to its name, which knows nothing of it: that is none.
    /// </summary>
    /// <param name="call">The call.</param>
    /// <param name="session">Whom it asks.</param>
    /// <param name="epoch">The session's; 0 while it is being opened.</param>
    /// <param name="quiet">For how long it may be quiet.</param>
    /// <param name="cancellationToken">Stops the waiting.</param>
    /// <exception cref="TimeoutException">It gives none.</exception>
    public async Task<T> WhileAliveAsync<T>(Task<T> call, IWatchSessionGrain session, long epoch, TimeSpan quiet, CancellationToken cancellationToken)
    {
        try
        {
            return await AnswerAsync(call, session, epoch, quiet, cancellationToken);
        }
        finally
        {
            GivenUp.Observe(call);
        }
    }

    private async Task<T> AnswerAsync<T>(Task<T> call, IWatchSessionGrain session, long epoch, TimeSpan quiet, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                return await call.WaitAsync(quiet, time, cancellationToken);
            }
            catch (TimeoutException quietness) when (!call.IsCompleted)
            {
                if (await GivesSignAsync(session, epoch, cancellationToken) || call.IsCompleted)
                    continue;
                // Whoever comes back has to know which servers are silent now.
                await doors.FeelAsync();
                throw new TimeoutException($"The server of this watch gave no sign of life within {options.SilencePatience}.", quietness);
            }
        }
    }

    private IWatchSessionGrain Draw() => grains.GetGrain<IWatchSessionGrain>(random.NextId());

    private async Task<bool> GivesSignAsync(IWatchSessionGrain session, long epoch, CancellationToken cancellationToken)
    {
        var sign = session.Feel(epoch);
        await GivenUp.Quietly(sign.WaitAsync(options.SilencePatience, time, cancellationToken));
        cancellationToken.ThrowIfCancellationRequested();
        // Nobody waits for a sign that comes too late.
        GivenUp.Observe(sign);
        return sign.IsCompletedSuccessfully;
    }
}
