namespace Watch.Client;

// What a reader is told while nothing comes: that its watch may be stale (SilenceClock, F1 to F3). A watch that is being opened elsewhere
// says so, too: the opening goes on by itself then, and the reader comes back to it.
internal partial class ResumingWatchStream
{
    /// <summary>The reader begins: from now on it is noted how long nothing came, if the watch is to say that.</summary>
    private void BeginListening()
    {
        if (_terms.StaleAfter is { } limit)
            Rare.Silence = new SilenceClock(limit, _client.Time, WakeBySilence);
    }

    /// <summary>As <see cref="ReopenAsync"/>, but one that takes long says in between that the watch is stale.</summary>
    private protected ValueTask<WatchBatch?> GoOnElsewhereAsync() => _rare?.Silence is { } silence ? GoOnElsewhereAsync(silence) : ReopenAsync();

    /// <summary>Whether the watch is being opened elsewhere while its reader was told something.</summary>
    private bool IsBeingOpened => _rare?.Opening is not null;

    /// <summary>Notes that something is handed on.</summary>
    private ReaderStep HandedOn(WatchBatch batch)
    {
        _rare?.Silence?.Hear(batch);
        return ReaderStep.Batch;
    }

    /// <summary>There is nothing to hand on: perhaps there has not been for too long (F2).</summary>
    private ReaderStep RestOrStale(out WatchBatch? batch)
    {
        batch = _rare?.Silence?.TryTell(Cursor);
        return batch is null ? ReaderStep.Rest : ReaderStep.Batch;
    }

    private async ValueTask<WatchBatch?> GoOnElsewhereAsync(SilenceClock silence)
    {
        var opening = Rare.Opening ??= new OpeningElsewhere(this);
        while (!opening.IsOver)
        {
            if (silence.TryTell(Cursor) is { } stale)
                return stale;
            await opening.Signal.WaitAsync();
        }

        Rare.Opening = null;
        return await opening.Opened;
    }

    private void WakeBySilence()
    {
        Volatile.Read(ref _rare)?.Opening?.Signal.Set();
        Volatile.Read(ref _consumer)?.Wake();
    }

    /// <summary>An opening that goes on while its reader is told that the watch is stale.</summary>
    private sealed class OpeningElsewhere
    {
        private volatile bool _isOver;

        public OpeningElsewhere(ResumingWatchStream stream) => Opened = OpenAsync(stream);

        /// <summary>Set when it is over, and when the reader is to look whether the watch is stale.</summary>
        public ReadySignal Signal { get; } = new();

        /// <summary>Whether <see cref="Opened"/> is done, or about to be.</summary>
        public bool IsOver => _isOver;

        public Task<WatchBatch?> Opened { get; }

        private async Task<WatchBatch?> OpenAsync(ResumingWatchStream stream)
        {
            try
            {
                var last = await stream.ReopenAsync();
                // Its reader may have left meanwhile, and does not look for what was opened since.
                if (stream._isStopped)
                    await stream.ReleaseAsync();
                return last;
            }
            finally
            {
                _isOver = true;
                Signal.Set();
            }
        }
    }
}
