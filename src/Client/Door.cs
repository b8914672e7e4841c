namespace Watch.Client;

/// <summary>One of the <see cref="Watch.Interfaces.GrainKeys.Doors"/> names under which a bucket's grain may be called.</summary>
/// <param name="Number">From 0.</param>
internal readonly record struct Door(int Number);
