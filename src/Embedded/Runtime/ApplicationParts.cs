// Finds the assemblies of the application: those that refer to this one, whether loaded already or
// only referenced by one that is. Grain classes and interfaces are looked for there.
using System.Collections.Concurrent;
using System.Reflection;

namespace Watch.Embedded.Runtime;

internal static class ApplicationParts
{
    private static readonly ConcurrentDictionary<Assembly, Type[]> TypesOf = new();
    private static readonly string Self = typeof(ApplicationParts).Assembly.GetName().Name!;

    /// <summary>All types of the application's assemblies, in an order that is the same in every run.</summary>
    public static IEnumerable<Type> Types() => Assemblies().SelectMany(a => TypesOf.GetOrAdd(a, Load));

    private static List<Assembly> Assemblies()
    {
        var seen = new SortedDictionary<string, Assembly>(StringComparer.Ordinal);
        var open = new Stack<Assembly>(AppDomain.CurrentDomain.GetAssemblies().Where(a => !a.IsDynamic && MayBePart(a.GetName())));
        while (open.TryPop(out var assembly))
        {
            if (!seen.TryAdd(assembly.FullName!, assembly))
                continue;
            foreach (var reference in assembly.GetReferencedAssemblies())
            {
                if (MayBePart(reference) && !seen.ContainsKey(reference.FullName) && TryLoad(reference) is { } referenced)
                    open.Push(referenced);
            }
        }

        return [.. seen.Values.Where(a => a.GetName().Name == Self || a.GetReferencedAssemblies().Any(r => r.Name == Self))];
    }

    private static bool MayBePart(AssemblyName name) => name.Name is { } text
        && !text.StartsWith("System", StringComparison.Ordinal) && !text.StartsWith("Microsoft.", StringComparison.Ordinal)
        && text is not ("mscorlib" or "netstandard");

    private static Assembly? TryLoad(AssemblyName name)
    {
        try
        {
            return Assembly.Load(name);
        }
        catch (Exception e) when (e is FileNotFoundException or FileLoadException or BadImageFormatException)
        {
            return null;    // a reference that was never deployed holds no grains
        }
    }

    private static Type[] Load(Assembly assembly)
    {
        try
        {
            return assembly.GetTypes();
        }
        catch (ReflectionTypeLoadException e)
        {
            return [.. e.Types.OfType<Type>()];
        }
    }
}
