// What a grain id names can be told from its type: a grain, a grain service, or an observer of a
// client. The ids of services hold the silo's address, those of observers the client's id.
using Orleans.Runtime;

namespace Watch.Embedded.Runtime;

internal enum TargetKind
{
    Grain,
    Service,
    Observer,
}

internal static class TargetKinds
{
    private const string ServicePrefix = "sys.svc.user.";
    private static readonly GrainType ObserverType = GrainType.Create("sys.client");

    public static TargetKind Of(GrainId id)
    {
        if (id.Type == ObserverType)
            return TargetKind.Observer;
        return id.Type.ToString().StartsWith(ServicePrefix, StringComparison.Ordinal) ? TargetKind.Service : TargetKind.Grain;
    }

    public static GrainId Service(Type serviceInterface, SiloAddress silo) =>
        GrainId.Create(ServicePrefix + InterfaceDescriptor.AliasOf(serviceInterface), silo.ToParsableString());

    public static SiloAddress SiloOf(GrainId service) => SiloAddress.Parse(service.Key.ToString());

    public static GrainId Observer(string clientId, long number) =>
        GrainId.Create(ObserverType, $"{clientId}+{number.ToString(System.Globalization.CultureInfo.InvariantCulture)}");

    public static string ClientOf(GrainId observer)
    {
        var key = observer.Key.ToString();
        return key[..key.LastIndexOf('+')];
    }
}
