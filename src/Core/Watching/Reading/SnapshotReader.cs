namespace Watch.Core.Watching;

/// <summary>A subscription's reading of the keys as they are. One page is under way at most.</summary>
internal sealed class SnapshotReader
{
}
