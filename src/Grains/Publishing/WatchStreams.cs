using Orleans.Runtime;
using Watch.Core;
using Watch.Interfaces;

namespace Watch.Grains.Publishing;

/// <summary>
/// The names of the streams that carry events. There are few namespaces, each ending in a separator, and the key or segment is in the
/// stream's key: Orleans keeps every namespace it ever saw, and compares streams by namespace and key run together.
/// </summary>
internal static class WatchStreams
{
    /// <summary>The stream provider.</summary>
    public const string Provider = "watch";

    /// <summary>Streams of single keys.</summary>
    public const string KeyNamespace = "watch/key/";

    /// <summary>Streams of prefix segments.</summary>
    public const string PrefixNamespace = "watch/prefix/";

    private const char KeyMark = 'k';
    private const char PrefixMark = 'p';

    /// <summary>The grain key of a scope's publisher: a mark of the kind, then the stream's key.</summary>
    public static string PublisherKey(BucketId bucket, Scope scope) =>
        (scope.Kind == ScopeKind.Key ? KeyMark : PrefixMark) + GrainKeys.OfKey(bucket, scope.Text);

    /// <summary>The stream that a publisher publishes to.</summary>
    public static StreamId OfPublisher(string publisherKey) =>
        StreamId.Create(publisherKey[0] == KeyMark ? KeyNamespace : PrefixNamespace, publisherKey[1..]);
}
