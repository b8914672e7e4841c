using System.Reflection;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Watch.Tidy;

/// <summary>Which project may know which, what Core is made of, and how packages are pinned.</summary>
public sealed class LayerTests
{
    private const BindingFlags Everything = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static | BindingFlags.Instance | BindingFlags.DeclaredOnly;

    /// <summary>From the bottom up: a project may know those before it. The engine comes from build/Engine.targets.</summary>
    private static readonly string[] Layers = ["Core", "Interfaces", "Client", "Grains", "Silo", "ClientApp"];

    [Fact]
    public void Dependencies_point_one_way()
    {
        foreach (var path in Sources.Paths(".csproj").Where(path => path.StartsWith("src/", StringComparison.Ordinal)))
        {
            var layer = path.Split('/')[1];
            var known = References(path);
            if (layer == "Embedded")
            {
                Assert.True(known.Count == 0, $"{path}: the embedded host knows nothing of Watch, but references {string.Join(", ", known)}");
                continue;
            }
            Assert.True(Layers.Contains(layer), $"{path}: unknown layer '{layer}'; say in LayerTests where it stands");
            var allowed = Layers.TakeWhile(lower => lower != layer);
            Assert.True(known.All(allowed.Contains), $"{path} may reference {string.Join(", ", allowed)}, but references {string.Join(", ", known)}");
        }
    }

    [Fact]
    public void Core_references_only_the_runtime()
    {
        var names = Assembly.Load("Watch.Core").GetReferencedAssemblies().Select(name => name.Name!).ToList();
        Assert.NotEmpty(names);
        Assert.All(names, name => Assert.StartsWith("System.", name, StringComparison.Ordinal));
    }

    [Fact]
    public void Core_has_no_tasks_threads_clocks_or_loggers()
    {
        var found = Assembly.Load("Watch.Core").GetTypes()
            .SelectMany(type => Used(type).SelectMany(Parts).Where(IsForbidden).Select(used => $"{type.FullName} uses {used.FullName ?? used.Name}"))
            .Distinct()
            .ToList();
        Assert.True(found.Count == 0, string.Join('\n', found));
    }

    [Theory]
    [InlineData(typeof(Task<int>), true)]
    [InlineData(typeof(List<ValueTask>), true)]
    [InlineData(typeof(Thread[]), true)]
    [InlineData(typeof(TimeProvider), true)]
    [InlineData(typeof(TimeSpan), false)]
    [InlineData(typeof(Dictionary<string, long>), false)]
    public void Forbidden_types_are_recognised(Type type, bool forbidden) => Assert.Equal(forbidden, Parts(type).Any(IsForbidden));

    [Fact]
    public void Package_versions_are_central_and_exact()
    {
        var central = XDocument.Parse(Sources.Read("Directory.Packages.props")).Descendants("PackageVersion").ToList();
        Assert.NotEmpty(central);
        Assert.All(central, package => Assert.Matches(@"^\[[^,\]]+\]$", (string?)package.Attribute("Version")));
        foreach (var path in Sources.Paths(".csproj").Concat(Sources.Paths(".targets")).Concat(Sources.Paths(".props")))
        {
            var pinned = XDocument.Parse(Sources.Read(path)).Descendants("PackageReference")
                .Where(package => package.Attribute("Version") is not null || package.Attribute("VersionOverride") is not null);
            Assert.True(!pinned.Any(), $"{path}: versions belong into Directory.Packages.props");
        }
    }

    [Fact]
    public void No_text_names_the_machine_it_was_written_on()
    {
        var machine = new Regex(@"/(home|Users)/[a-z][\w-]*/|(?<![\w/])/(root)/|[A-Z]:\\Users\\");
        var found = Sources.TextFiles().Where(path => machine.IsMatch(Sources.Read(path))).ToList();
        Assert.True(found.Count == 0, string.Join('\n', found));
    }

    private static List<string> References(string path) => [.. XDocument.Parse(Sources.Read(path)).Descendants("ProjectReference")
        .Select(reference => Path.GetFileName(Path.GetDirectoryName(((string)reference.Attribute("Include")!).Replace('\\', '/')))!)];

    private static IEnumerable<Type> Used(Type type) => type.GetFields(Everything).Select(field => field.FieldType)
        .Concat(type.GetProperties(Everything).Select(property => property.PropertyType))
        .Concat(type.GetMethods(Everything).SelectMany(method => method.GetParameters().Select(parameter => parameter.ParameterType).Append(method.ReturnType)))
        .Concat(type.GetConstructors(Everything).SelectMany(constructor => constructor.GetParameters()).Select(parameter => parameter.ParameterType))
        .Concat(type.GetInterfaces())
        .Concat(type.BaseType is null ? [] : [type.BaseType]);

    private static IEnumerable<Type> Parts(Type type) => type.HasElementType
        ? Parts(type.GetElementType()!)
        : type.IsGenericType ? type.GetGenericArguments().SelectMany(Parts).Append(type) : [type];

    private static bool IsForbidden(Type type) => type.Namespace == "System.Threading.Tasks"
        || type.FullName is "System.Threading.Thread" or "System.Threading.Timer" or "System.Threading.ITimer" or "System.TimeProvider"
        || type.Name.StartsWith("ILogger", StringComparison.Ordinal)
        || type.Namespace?.StartsWith("Orleans", StringComparison.Ordinal) == true;
}
