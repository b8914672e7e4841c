using System.Reflection;

namespace Watch.Embedded.Serialization;

/// <summary>
/// The assemblies whose types messages may name: this one, and those that reference it. An assembly
/// that the program references but has not used yet is loaded, because a message may be the first to
/// mention its types.
/// </summary>
internal static class ApplicationAssemblies
{
    /// <summary>Those that were not seen before; <paramref name="seen"/> also remembers the ones that do not matter.</summary>
    public static List<Assembly> Find(HashSet<Assembly> seen)
    {
        var own = typeof(ApplicationAssemblies).Assembly;
        var found = new List<Assembly>();
        var pending = new Queue<Assembly>(AppDomain.CurrentDomain.GetAssemblies());
        while (pending.TryDequeue(out var assembly))
        {
            if (!seen.Add(assembly) || assembly.IsDynamic)
                continue;
            var references = assembly.GetReferencedAssemblies();
            var isApplication = assembly == own || Array.Exists(references, r => r.Name == own.GetName().Name);
            if (isApplication)
                found.Add(assembly);
            if (isApplication || assembly == Assembly.GetEntryAssembly())
                LoadReferences(references, pending);
        }

        return found;
    }

    private static void LoadReferences(AssemblyName[] references, Queue<Assembly> pending)
    {
        foreach (var reference in references)
        {
            if (IsPlatform(reference.Name!) || IsLoaded(reference.Name!))
                continue;
            try
            {
                pending.Enqueue(Assembly.Load(reference));
            }
            catch (IOException)
            {
                // A reference that was not deployed: nobody here can have its types, so nothing is lost.
            }
        }
    }

    private static bool IsPlatform(string name) => name is "netstandard" or "mscorlib" or "System" or "WindowsBase"
        || name.StartsWith("System.", StringComparison.Ordinal) || name.StartsWith("Microsoft.", StringComparison.Ordinal);

    private static bool IsLoaded(string name) =>
        Array.Exists(AppDomain.CurrentDomain.GetAssemblies(), assembly => assembly.GetName().Name == name);
}
