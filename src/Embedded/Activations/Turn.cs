// One piece of work that an activation does from its beginning to its end, awaits included: a call,
// or the tick of a grain timer. Whether two of them may be under way at once is decided here.
namespace Watch.Embedded.Activations;

internal abstract class Turn
{
    /// <summary>May begin, and go on, beside any other.</summary>
    public abstract bool AlwaysInterleave { get; }

    /// <summary>May go on beside others that are read-only.</summary>
    public abstract bool ReadOnly { get; }

    /// <summary>Keeps the activation from being collected as idle.</summary>
    public abstract bool CountsAsUse { get; }

    /// <summary>Begins the work on the activation's scheduler. Never throws; ends with Activation.TurnEnded.</summary>
    public abstract void Run(Activation activation);

    /// <summary>The activation could not be made.</summary>
    public abstract void Reject(Exception reason);

    /// <summary>The activation ended before the work began: it goes on elsewhere, if it can.</summary>
    public abstract void Reroute(Runtime.SiloNode node);
}
