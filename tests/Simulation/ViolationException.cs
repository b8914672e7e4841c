namespace Watch.Simulation.Tests;

/// <summary>A checker found that the product broke a promise.</summary>
internal sealed class ViolationException(string message) : Exception(message);
