using System.Globalization;

namespace Watch.Core;

/// <summary>
/// The catalogue's number for a bucket. Logs, grain keys, stream keys and cursors name a bucket by it, so a bucket that is
/// deleted and made anew under the same name shares nothing with its predecessor.
/// </summary>
/// <param name="Value">The number, 1 or more; 1 is the default bucket, which exists from the cluster's birth.</param>
public readonly record struct BucketId(int Value)
{
    /// <summary>The bucket that exists from the cluster's birth and that calls use when they name none.</summary>
    public static readonly BucketId Default = new(1);

    /// <inheritdoc/>
    public override string ToString() => Value.ToString(CultureInfo.InvariantCulture);
}
