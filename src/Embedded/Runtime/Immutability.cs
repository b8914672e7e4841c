// Which types can be told, by the type alone, to need no copy.
using System.Reflection;
using Orleans;
using Orleans.Runtime;

namespace Watch.Embedded.Runtime;

internal static class Immutability
{
    /// <summary>A value of exactly this declared type may be shared. Unsealed classes may hide a mutable subclass.</summary>
    public static bool IsShareable(Type type)
    {
        if (Nullable.GetUnderlyingType(type) is { } underlying)
            return IsShareable(underlying);
        return type.IsPrimitive || type.IsEnum || type == typeof(string) || type == typeof(decimal)
            || type == typeof(Guid) || type == typeof(DateTime) || type == typeof(DateTimeOffset)
            || type == typeof(TimeSpan) || type == typeof(Uri) || type == typeof(GrainId)
            || type == typeof(SiloAddress)
            || ((type.IsValueType || type.IsSealed) && type.GetCustomAttribute<ImmutableAttribute>(inherit: false) != null);
    }
}
