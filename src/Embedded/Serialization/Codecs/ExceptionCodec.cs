using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using Orleans;
using Orleans.Serialization;

namespace Watch.Embedded.Serialization;

/// <summary>
/// Any exception: the name of its type, message, stack trace as text, cause, and the members of types
/// marked [GenerateSerializer]. Reading never fails for want of the type: what is unknown here, or may
/// not be created from a message, arrives as <see cref="UnavailableExceptionFallbackException"/>
/// that names it. Exceptions are shared, not copied, when they stay in the process.
/// </summary>
internal sealed class ExceptionCodec(CodecProvider provider) : Codec<Exception>
{
    private const int InnerMax = 1000;
    private static readonly Action<Exception, string?, Exception?> s_construct = CreateBaseConstructor();

    private Codec<Exception?>? _inner;

    public override bool IsShared => true;

    private Codec<Exception?> Inner => _inner ??= provider.Slot<Exception?>();

    public override void Write(WireWriter writer, Exception value)
    {
        var (type, name) = value is UnavailableExceptionFallbackException { ExceptionType: { } original }
            ? (null, original)
            : (value.GetType(), provider.Manifest.ExceptionNameOf(value.GetType()));
        writer.WriteString(name);
        writer.WriteString(MessageOf(value));
        writer.WriteString(value.StackTrace);
        writer.WriteFixed32((uint)value.HResult);

        Exception?[] inner = value is AggregateException aggregate ? [.. aggregate.InnerExceptions] : [value.InnerException];
        writer.WriteVarint((ulong)inner.Length);
        foreach (var cause in inner)
            Inner.Write(writer, cause);

        var start = writer.BeginSized();
        if (type is not null && MembersOf(type) is { } members)
            members.WriteMembers(writer, value);
        writer.EndSized(start);
    }

    public override Exception Read(ref WireReader reader)
    {
        var name = reader.ReadString() ?? throw WireReader.Malformed("an exception without a type");
        var message = reader.ReadString();
        var stackTrace = reader.ReadString();
        var code = (int)reader.ReadFixed32();
        var count = reader.ReadCount();
        if (count > InnerMax)
            throw WireReader.Malformed($"an exception with {count} causes");
        var inner = new Exception?[count];
        for (var i = 0; i < count; i++)
            inner[i] = Inner.Read(ref reader);

        var type = provider.Manifest.TryResolveException(name);
        var members = type is null ? null : MembersOf(type);
        var exception = Create(type, name, message, inner, members is not null);
        ReadMembers(ref reader, exception, members);
        exception.HResult = code;
        if (stackTrace is not null)
            ExceptionDispatchInfo.SetRemoteStackTrace(exception, stackTrace);
        return exception;
    }

    public override Exception Copy(Exception value, CopyContext context) => value;

    private static void ReadMembers(ref WireReader reader, Exception exception, IMembersCodec? members)
    {
        var end = reader.ReadSizedEnd();
        if (members is not null && end > reader.Position)
            members.ReadMembers(ref reader, exception);
        if (reader.Position > end)
            throw WireReader.Malformed($"the members of {exception.GetType()} end after their length");
        reader.MoveTo(end);
    }

    private static Exception Create(Type? type, string name, string? message, Exception?[] inner, bool isMarked)
    {
        var cause = inner.Length > 0 ? inner[0] : null;
        if (type == typeof(AggregateException))
            return new AggregateException(message, inner.OfType<Exception>());
        if (type is not null && (isMarked || type.Assembly == typeof(ExceptionCodec).Assembly))
        {
            var marked = (Exception)RuntimeHelpers.GetUninitializedObject(type);
            s_construct(marked, message, cause);
            return marked;
        }

        return (type is null ? null : Construct(type, message, cause))
            ?? new UnavailableExceptionFallbackException(message ?? name, cause!) { ExceptionType = name };
    }

    /// <summary>Only public constructors that take a message: (message, cause) or (message).</summary>
    private static Exception? Construct(Type type, string? message, Exception? cause)
    {
        if (type.GetConstructor([typeof(string), typeof(Exception)]) is { } withCause)
            return (Exception)withCause.Invoke([message, cause]);
        return type.GetConstructor([typeof(string)]) is { } withMessage && withMessage.GetParameters()[0].Name == "message"
            ? (Exception)withMessage.Invoke([message])
            : null;
    }

    private IMembersCodec? MembersOf(Type type) => type.IsDefined(typeof(GenerateSerializerAttribute), inherit: false)
        ? provider.MembersOf(type)
        : null;

    /// <summary>An aggregate's message ends with those of its parts, and would do so twice when rebuilt.</summary>
    private static string MessageOf(Exception value)
    {
        if (value is not AggregateException aggregate)
            return value.Message;
        var parts = string.Concat(aggregate.InnerExceptions.Select(e => $" ({e.Message})"));
        return parts.Length > 0 && value.Message.EndsWith(parts, StringComparison.Ordinal) ? value.Message[..^parts.Length] : value.Message;
    }

    /// <summary>Runs Exception's own constructor on an object that no constructor has seen yet.</summary>
    private static Action<Exception, string?, Exception?> CreateBaseConstructor()
    {
        var constructor = typeof(Exception).GetConstructor([typeof(string), typeof(Exception)])!;
        var method = new DynamicMethod("construct", null, [typeof(Exception), typeof(string), typeof(Exception)], typeof(Exception), skipVisibility: true);
        var il = method.GetILGenerator();
        il.Emit(OpCodes.Ldarg_0);
        il.Emit(OpCodes.Ldarg_1);
        il.Emit(OpCodes.Ldarg_2);
        il.Emit(OpCodes.Call, constructor);
        il.Emit(OpCodes.Ret);
        return method.CreateDelegate<Action<Exception, string?, Exception?>>();
    }
}
