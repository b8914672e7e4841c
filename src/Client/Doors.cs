using Watch.Interfaces;

namespace Watch.Client;

/// <summary>
/// The doors of a bucket, and which of them lead to a server that lives.
/// </summary>
/// <remarks>
/// A client outside the cluster holds a connection to each of several servers and binds every grain's name to one of them. A server that
/// froze keeps its connection, so whatever is bound to it hangs, though the grain could be called through any other. A bucket's grain
/// therefore has several names, its doors, which are bound to different servers by chance. This class feels for them: it asks every
/// door for a sign of life, which takes neither a leader nor a disk, and believes who answers. Rules:
///
///   D1  A door is silent when it did not answer within the patience, or its question failed; any answer, however late, ends that.
///   D2  While every door answers nobody uses them: calls go by their key's own grain. Once one is silent, calls go by a door that answers.
///   D3  The silent ones are asked again while there are calls, at most once in <see cref="WatchClientOptions.HedgeAfter"/>; without calls
///       nothing happens at all.
///   D4  A question never counts against a door that has answered a later one.
///
/// Nothing here decides what is true: a door wrongly taken for silent costs a detour, one wrongly taken for alive costs a wait.
/// Thread-safe.
/// </remarks>
internal sealed class Doors(Func<Door, Task> ask, WatchClientOptions options, TimeProvider time, IWatchRandom random)
{
    private readonly Lock _gate = new();
    private readonly bool[] _silent = new bool[GrainKeys.Doors];
    private readonly long[] _answered = new long[GrainKeys.Doors];
    private TaskCompletionSource? _feeling;
    private long _round;
    private long _felt;

    /// <summary>By which door a call had better go; null where its key's own grain is as good (D2).</summary>
    public Door? Preferred()
    {
        bool isDue;
        lock (_gate)
        {
            if (!_silent.Contains(true))
                return null;
            isDue = _feeling is null && time.GetElapsedTime(_felt) >= options.HedgeAfter;
        }

        // Owned by whoever feels next: it ends by itself, and its failures are silence.
        if (isDue)
            _ = FeelAsync();                                                // D3
        return Answering();
    }

    /// <summary>One of the doors that are not silent, by chance; null where all are.</summary>
    public Door? Answering()
    {
        lock (_gate)
        {
            var count = _silent.Count(each => !each);
            if (count == 0)
                return null;
            var nth = (int)(random.NextFraction() * count);
            var door = 0;
            for (; _silent[door] || nth-- > 0; door++)
            {
            }

            return new Door(door);
        }
    }

    /// <summary>Whether the door is not silent.</summary>
    public bool Answers(Door door)
    {
        lock (_gate)
            return !_silent[door.Number];
    }

    /// <summary>Asks every door for a sign of life; done when all have answered, or their time is over. All who want to know share it.</summary>
    public Task FeelAsync()
    {
        TaskCompletionSource mine;
        long round;
        lock (_gate)
        {
            if (_feeling is { } running)
                return running.Task;
            mine = _feeling = new TaskCompletionSource();
            round = ++_round;
        }

        // It ends by telling whoever awaits it, and goes on without the one who asked first.
        _ = OwnContext.Start(() => FeelAsync(mine, round));
        return mine.Task;
    }

    private async Task FeelAsync(TaskCompletionSource done, long round)
    {
        using var patience = new CancellationTokenSource();
        var questions = Enumerable.Range(0, GrainKeys.Doors).Select(each => AskAsync(new Door(each), round)).ToList();
        await Task.WhenAny(Task.WhenAll(questions), Task.Delay(options.SilencePatience, time, patience.Token));
        patience.Cancel();
        lock (_gate)
        {
            for (var each = 0; each < questions.Count; each++)
                _silent[each] |= !questions[each].IsCompleted;              // D1
            _felt = time.GetTimestamp();
            _feeling = null;
        }

        done.SetResult();
    }

    private async Task AskAsync(Door door, long round)
    {
        bool answered;
        try
        {
            await ask(door);
            answered = true;
        }
        catch (Exception)
        {
            // Whatever went wrong, this door gave no sign of life; calls that go by it meet the failure themselves.
            answered = false;
        }

        lock (_gate)
        {
            if (answered)
                _answered[door.Number] = Math.Max(_answered[door.Number], round);
            if (answered || _answered[door.Number] < round)                 // D4
                _silent[door.Number] = !answered;
        }
    }
}
