// Grain methods that return IAsyncEnumerable<T>: the caller pulls, the callee holds the enumerator.
//
//   caller                           callee's activation
//   Start(id, method, arguments) ──► makes the sequence, waits for its first elements
//   Next(id)                     ──► answers with what is there at once (up to the batch size), else
//                                    waits; after half a response timeout it answers with a heartbeat
//   Dispose(id)                  ──► ends the enumerator; cancellation does the same
//
// All three interleave with everything, so the body of the sequence does, too. An enumerator that
// nobody asked for during a whole response timeout is swept; who asks later gets
// EnumerationAbortedException, and so does who asks after the activation ended.
using System.Runtime.CompilerServices;
using Orleans;
using Orleans.Concurrency;
using Orleans.Runtime;
using Watch.Embedded.Calls;
using Watch.Embedded.Runtime;

namespace Orleans.Runtime
{
    public static class AsyncEnumerableExtensions
    {
        /// <summary>How many elements one answer may bring. Call it before any other operator.</summary>
        public static IAsyncEnumerable<T> WithBatchSize<T>(this IAsyncEnumerable<T> self, int maxBatchSize)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(maxBatchSize, 1);
            return self is RemoteSequence<T> sequence ? sequence.WithBatchSize(maxBatchSize) : self;
        }
    }
}

namespace Watch.Embedded.Calls
{
    internal enum SequenceStatus
    {
        Heartbeat,
        Elements,
        Completed,
        Missing,
    }

    /// <summary>One answer of the pull protocol.</summary>
    [GenerateSerializer, Alias("sys.SequencePart")]
    internal sealed class SequencePart
    {
        [Id(0)] public SequenceStatus Status { get; set; }

        [Id(1)] public object?[] Elements { get; set; } = [];
    }

    [Alias("sys.IAsyncEnumerableExtension")]
    internal interface IAsyncEnumerableExtension : IGrainExtension
    {
        [AlwaysInterleave]
        ValueTask<SequencePart> Start(Guid id, string interfaceAlias, string method, object?[] arguments, int batchSize, CancellationToken cancellationToken);

        [AlwaysInterleave]
        ValueTask<SequencePart> Next(Guid id, CancellationToken cancellationToken);

        [AlwaysInterleave]
        ValueTask Dispose(Guid id);
    }

    /// <summary>What the caller of the grain method gets: nothing happens before it is enumerated.</summary>
    internal sealed class RemoteSequence<T>(GrainReference target, MethodDescriptor method, object?[] arguments, int batchSize)
        : IAsyncEnumerable<T>
    {
        public const int DefaultBatchSize = 100;

        public RemoteSequence<T> WithBatchSize(int size) => new(target, method, arguments, size);

        public IAsyncEnumerator<T> GetAsyncEnumerator(CancellationToken cancellationToken = default) =>
            Enumerate(cancellationToken).GetAsyncEnumerator(cancellationToken);

        private async IAsyncEnumerable<T> Enumerate([EnumeratorCancellation] CancellationToken cancellationToken)
        {
            var own = method.TokenIndex >= 0 ? (CancellationToken)arguments[method.TokenIndex]! : default;
            using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, own);
            var node = target.Caller;
            var id = NewId(node);
            var extension = (IAsyncEnumerableExtension)(object)node.CreateReference(
                target.GrainId, InterfaceCatalog.Shared.Get(typeof(IAsyncEnumerableExtension)));
            var open = true;
            try
            {
                var part = await extension.Start(id, method.Interface.Alias, method.Id, WithoutToken(), batchSize, linked.Token);
                while (true)
                {
                    open = part.Status is not (SequenceStatus.Completed or SequenceStatus.Missing);
                    foreach (var element in part.Elements)
                        yield return (T)element!;
                    if (part.Status == SequenceStatus.Missing)
                        throw new EnumerationAbortedException($"The enumerator behind '{method}' of {target.GrainId} is gone.");
                    if (!open)
                        yield break;
                    linked.Token.ThrowIfCancellationRequested();
                    part = await extension.Next(id, linked.Token);
                }
            }
            finally
            {
                if (open)
                    await DisposeQuietly(extension, id);
            }
        }

        private object?[] WithoutToken()
        {
            var copy = (object?[])arguments.Clone();
            if (method.TokenIndex >= 0)
                copy[method.TokenIndex] = null;
            return copy;
        }

        // Whoever stops reading is not told that the silo is gone already: it is swept there anyway.
        private static async Task DisposeQuietly(IAsyncEnumerableExtension extension, Guid id)
        {
            try
            {
                await extension.Dispose(id);
            }
            catch (Exception e) when (e is OrleansException or TimeoutException)
            {
                return;
            }
        }

        private static Guid NewId(Node node)
        {
            Span<byte> bytes = stackalloc byte[16];
            node.Environment.Random.NextBytes(bytes);
            return new Guid(bytes);
        }
    }
}
