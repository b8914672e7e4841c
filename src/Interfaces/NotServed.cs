namespace Watch.Interfaces;

/// <summary>Refuses what the contract has and the server does not do: never is an option taken and ignored.</summary>
internal static class NotServed
{
    /// <summary>Refuses it.</summary>
    /// <param name="what">What was asked for, as the beginning of a sentence.</param>
    public static WatchException Yet(string what) => new(WatchErrorCode.InvalidOption, $"{what} is not served by this version.");
}
