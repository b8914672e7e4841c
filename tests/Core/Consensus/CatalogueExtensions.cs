using Watch.Core.Consensus;

namespace Watch.Core.Tests.Consensus;

internal static class CatalogueExtensions
{
    /// <summary>Applies a command where it does not matter where in the log it stands.</summary>
    internal static CatalogueOutcome Apply(this Catalogue catalogue, CatalogueCommand command) => catalogue.Apply(command, default);
}
