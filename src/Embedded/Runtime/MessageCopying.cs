// The copier of messages within the process. References are shared: they hold nothing but a name and
// the node that they fall back to.
using Orleans.Runtime;
using Watch.Embedded.Serialization;

namespace Watch.Embedded.Runtime;

internal static class MessageCopying
{
    /// <summary>One for the process: what it knows of types is the same for all.</summary>
    public static IMessageCopier Shared { get; } = new EmbeddedSerializer { References = new SharedReferences() };

    private sealed class SharedReferences : IReferenceCodec
    {
        public bool TryWrite(object reference, out string text)
        {
            var isReference = reference is GrainReference;
            text = isReference ? ((GrainReference)reference).ToString() : "";
            return isReference;
        }

        public object Resolve(string text, Type type) =>
            throw new InvalidOperationException("A copy within the process reads no references.");
    }
}
