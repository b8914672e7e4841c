// The callee's side of async sequences (see AsyncSequences.cs): the enumerators that one activation
// holds for its callers.
using Orleans.Runtime;
using Watch.Embedded.Activations;
using Watch.Embedded.Runtime;

namespace Watch.Embedded.Calls;

internal sealed class AsyncEnumerableExtension : IAsyncEnumerableExtension
{
    private readonly Activation _activation;
    private readonly Dictionary<Guid, HeldSequence> _held = [];

    public AsyncEnumerableExtension(Activation activation)
    {
        _activation = activation;
        var period = activation.Node.ResponseTimeout;
        activation.StartTimer(SweepAsync, new GrainTimerCreationOptions { DueTime = period, Period = period, Interleave = true });
    }

    public async ValueTask<SequencePart> Start(
        Guid id, string interfaceAlias, string method, object?[] arguments, int batchSize, CancellationToken cancellationToken)
    {
        if (!InterfaceCatalog.Shared.TryGet(interfaceAlias, out var descriptor))
            throw new OrleansException($"Interface '{interfaceAlias}' is unknown.");
        var found = descriptor.Find(method);
        var source = new CancellationTokenSource();
        if (found.TokenIndex >= 0)
            arguments[found.TokenIndex] = source.Token;
        var sequence = await found.Invoke(_activation.Instance!, arguments);
        var reader = (ISequenceReader)Activator.CreateInstance(
            typeof(SequenceReader<>).MakeGenericType(found.ResultType), sequence, source.Token)!;
        var held = new HeldSequence(reader, source, batchSize);
        _held.Add(id, held);
        return await ReadAsync(id, held, cancellationToken);
    }

    public ValueTask<SequencePart> Next(Guid id, CancellationToken cancellationToken) =>
        _held.TryGetValue(id, out var held)
            ? ReadAsync(id, held, cancellationToken)
            : new(new SequencePart { Status = SequenceStatus.Missing });

    public async ValueTask Dispose(Guid id)
    {
        if (_held.Remove(id, out var held))
            await held.EndAsync();
    }

    public async Task DisposeAllAsync()
    {
        foreach (var id in _held.Keys.ToList())
            await Dispose(id);
    }

    private async ValueTask<SequencePart> ReadAsync(Guid id, HeldSequence held, CancellationToken cancellationToken)
    {
        held.Readers++;
        try
        {
            var elements = new List<object?>();
            while (elements.Count < held.BatchSize)
            {
                held.Moving ??= held.Reader.MoveNextAsync().AsTask();
                if (!held.Moving.IsCompleted)
                {
                    if (elements.Count > 0)
                        break;    // what comes later is for the next question
                    if (!await WaitAsync(held.Moving, cancellationToken))
                        return new SequencePart { Status = SequenceStatus.Heartbeat };
                }

                if (elements.Count > 0 && !held.Moving.IsCompletedSuccessfully)
                    break;        // elements first, then the failure
                var moved = await held.Moving;
                held.Moving = null;
                if (!moved)
                {
                    await Dispose(id);
                    return new SequencePart { Status = SequenceStatus.Completed, Elements = [.. elements] };
                }

                elements.Add(held.Reader.Current);
            }

            return new SequencePart { Status = SequenceStatus.Elements, Elements = [.. elements] };
        }
        catch
        {
            held.Moving = null;
            await Dispose(id);
            throw;
        }
        finally
        {
            held.Readers--;
            held.Seen = true;
        }
    }

    // True: the element, the end or the failure is there. False: ask again, so that the call does not time out.
    private async Task<bool> WaitAsync(Task moving, CancellationToken cancellationToken)
    {
        var time = _activation.Node.Environment.TimeProvider;
        using var limit = new CancellationTokenSource(_activation.Node.ResponseTimeout / 2, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        var interrupted = new TaskCompletionSource(_activation.Node.Environment.PromiseOptions);
        using (either.Token.UnsafeRegister(static tcs => ((TaskCompletionSource)tcs!).TrySetResult(), interrupted))
            await Task.WhenAny(moving, interrupted.Task);
        cancellationToken.ThrowIfCancellationRequested();
        return moving.IsCompleted;
    }

    private async Task SweepAsync(CancellationToken cancellationToken)
    {
        foreach (var (id, held) in _held.ToList())
        {
            if (held.Readers == 0 && !held.Seen)
                await Dispose(id);
            held.Seen = false;
        }
    }

    private sealed class HeldSequence(ISequenceReader reader, CancellationTokenSource source, int batchSize)
    {
        public ISequenceReader Reader { get; } = reader;

        public int BatchSize { get; } = batchSize;

        public Task<bool>? Moving { get; set; }

        public int Readers { get; set; }

        /// <summary>Asked for since the last sweep.</summary>
        public bool Seen { get; set; } = true;

        public async Task EndAsync()
        {
            source.Cancel();
            if (Moving is { } moving)
            {
                // An enumerator must not be disposed while it moves. How the move ends interests nobody any more.
                await moving.ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Current);
            }

            await Reader.DisposeAsync();
        }
    }
}

/// <summary>An enumerator whose element type is known only at run time.</summary>
internal interface ISequenceReader : IAsyncDisposable
{
    object? Current { get; }

    ValueTask<bool> MoveNextAsync();
}

internal sealed class SequenceReader<T>(IAsyncEnumerable<T> sequence, CancellationToken cancellationToken) : ISequenceReader
{
    private readonly IAsyncEnumerator<T> _enumerator = sequence.GetAsyncEnumerator(cancellationToken);

    public object? Current => _enumerator.Current;

    public ValueTask<bool> MoveNextAsync() => _enumerator.MoveNextAsync();

    public ValueTask DisposeAsync() => _enumerator.DisposeAsync();
}
