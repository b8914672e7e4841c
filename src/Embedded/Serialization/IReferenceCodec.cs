namespace Watch.Embedded.Serialization;

/// <summary>
/// How references to grains and observers travel: as text. The runtime supplies it, since only it
/// can tell a reference from an object and give a text its meaning back.
/// </summary>
public interface IReferenceCodec
{
    /// <summary>The text of a reference, or false when the object is none.</summary>
    bool TryWrite(object reference, out string text);

    /// <summary>The reference that a text stands for, usable as <paramref name="type"/> (or object).</summary>
    object Resolve(string text, Type type);
}
