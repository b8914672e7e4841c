namespace Watch.Embedded.Serialization;

/// <summary>Reads <c>name&lt;argument,argument&gt;[]</c>.</summary>
internal static class TypeNames
{
    private const int DepthMax = 16;
    private const string Special = "<>,[]";

    public static Type Parse(string text, Func<string, Type> find)
    {
        var rest = text.AsSpan();
        var type = ParseType(ref rest, find, 0);
        return rest.IsEmpty ? type : throw Bad(text);
    }

    private static Type ParseType(ref ReadOnlySpan<char> rest, Func<string, Type> find, int depth)
    {
        if (depth > DepthMax)
            throw WireReader.Malformed($"a type name is nested deeper than {DepthMax} levels");

        var end = rest.IndexOfAny(Special);
        var name = (end < 0 ? rest : rest[..end]).ToString();
        rest = end < 0 ? [] : rest[end..];
        var type = find(name);
        if (rest.StartsWith("<"))
            type = Construct(type, ParseArguments(ref rest, find, depth));
        else if (type.IsGenericTypeDefinition && (rest.StartsWith("[") || depth > 0))
            throw WireReader.Malformed($"the type '{name}' is given without its arguments");

        for (var rank = 0; rest.StartsWith("[]"); rank++)
        {
            if (rank == DepthMax)
                throw WireReader.Malformed("an array of arrays without end");
            rest = rest[2..];
            type = type.MakeArrayType();
        }

        return type;
    }

    private static Type[] ParseArguments(ref ReadOnlySpan<char> rest, Func<string, Type> find, int depth)
    {
        var arguments = new List<Type>();
        do
        {
            rest = rest[1..];
            arguments.Add(ParseType(ref rest, find, depth + 1));
        }
        while (rest.StartsWith(",") && arguments.Count < DepthMax);

        if (!rest.StartsWith(">"))
            throw Bad(rest.ToString());
        rest = rest[1..];
        return [.. arguments];
    }

    private static Type Construct(Type definition, Type[] arguments)
    {
        if (!definition.IsGenericTypeDefinition || definition.GetGenericArguments().Length != arguments.Length)
            throw WireReader.Malformed($"'{definition.Name}' does not take {arguments.Length} type arguments");
        try
        {
            return definition.MakeGenericType(arguments);
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException or TypeLoadException)
        {
            throw new MalformedMessageException($"Malformed message: '{definition.Name}' cannot have these type arguments.", e);
        }
    }

    private static MalformedMessageException Bad(string text) => WireReader.Malformed($"'{text}' is not the name of a type");
}
