using System.Runtime.CompilerServices;
using Orleans.Runtime;
using Watch.Embedded.Runtime;
using Watch.Embedded.Serialization;

namespace Watch.Embedded.Gateway;

/// <summary>References travel as the interface's alias and the grain id, on a line each.</summary>
internal sealed class GatewayReferences(IReferenceFactory factory) : IReferenceCodec
{
    // A serializer is costly to make and knows its node; connections of one node share it.
    private static readonly ConditionalWeakTable<IReferenceFactory, EmbeddedSerializer> s_serializers = [];

    public static EmbeddedSerializer SerializerOf(IReferenceFactory factory) => s_serializers.GetValue(
        factory, static f => new EmbeddedSerializer { References = new GatewayReferences(f) });

    public bool TryWrite(object reference, out string text)
    {
        text = reference is GrainReference known ? $"{known.Descriptor.Alias}\n{known.GrainId}" : "";
        return reference is GrainReference;
    }

    public object Resolve(string text, Type type)
    {
        var line = text.IndexOf('\n', StringComparison.Ordinal);
        if (line < 0 || !GrainId.TryParse(text[(line + 1)..], out var id))
            throw new MalformedMessageException("Malformed message: a reference without a grain id.");
        return InterfaceCatalog.Shared.TryGet(text[..line], out var descriptor)
            ? factory.CreateReference(id, descriptor)
            : throw new MalformedMessageException($"Malformed message: the interface '{text[..line]}' of a reference is unknown here.");
    }
}
