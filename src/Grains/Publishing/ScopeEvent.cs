using System.Collections.Immutable;
using Orleans;
using Watch.Core;

namespace Watch.Grains.Publishing;

/// <summary>An event that knows about how much room it takes.</summary>
internal interface ISizedEvent
{
    /// <summary>About how many bytes.</summary>
    int CountBytes();
}

/// <summary>One revision of one scope, as it travels through a stream: a hint that may be lost, repeated or overtaken.</summary>
/// <param name="Bucket">The bucket.</param>
/// <param name="Scope">The scope.</param>
/// <param name="Previous">The scope's revision before, by which a loss is noticed.</param>
/// <param name="Revision">The revision.</param>
/// <param name="Changes">All of its changes in the scope; default where they are too large for a stream and have to be read from the log.</param>
/// <param name="Silos">The silos to tell.</param>
[GenerateSerializer, Immutable, Alias("watch.ScopeEvent")]
internal sealed record ScopeEvent(
    [property: Id(0)] BucketId Bucket,
    [property: Id(1)] Scope Scope,
    [property: Id(2)] Revision Previous,
    [property: Id(3)] Revision Revision,
    [property: Id(4)] ImmutableArray<Change> Changes,
    [property: Id(5)] ImmutableArray<string> Silos) : ISizedEvent
{
    private const int FixedBytes = 128;

    /// <summary>About how much room the event takes.</summary>
    public int CountBytes()
    {
        var bytes = FixedBytes + Scope.Text.Length;
        foreach (var each in Silos)
            bytes += each.Length;
        if (!Changes.IsDefault)
        {
            foreach (var each in Changes)
                bytes += BytesOf(each);
        }

        return bytes;
    }

    /// <summary>The event without its changes.</summary>
    public ScopeEvent WithoutChanges() => new(Bucket, Scope, Previous, Revision, default, Silos);

    private static int BytesOf(Change change) =>
        FixedBytes + change.Key.Length + change.Value.Length + (change.PreviousValue?.Length ?? 0);
}
