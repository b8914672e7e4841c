namespace Watch.Core.Consensus;

/// <summary>What another silo said when asked whether it knows a cluster.</summary>
/// <param name="Name">The silo's name.</param>
/// <param name="Answered">Whether it answered at all.</param>
/// <param name="Incarnation">The incarnation that its folder knows; null for none, or without an answer.</param>
/// <param name="Bootstrap">Its setting <c>Bootstrap</c>; empty for none, or without an answer.</param>
public readonly record struct SiloAnswer(string Name, bool Answered, UInt128? Incarnation, string Bootstrap = "")
{
    /// <summary>
    /// What a name in membership has said: a name may have had many silos. One that knows a cluster speaks for it; else one that lives
    /// and does not answer; a name of which none lives any more is silent, since its folder may know a cluster.
    /// </summary>
    /// <param name="name">The name.</param>
    /// <param name="living">The answers of its silos that were not declared dead.</param>
    public static SiloAnswer OfName(string name, IReadOnlyList<SiloAnswer> living)
    {
        ArgumentNullException.ThrowIfNull(living);
        var knowing = living.Where(each => each.Incarnation is not null).Take(1).ToList();
        if (knowing.Count > 0)
            return knowing[0];
        return living.Count > 0 && living.All(each => each.Answered) ? living[^1] with { Name = name } : new SiloAnswer(name, false, null);
    }
}

/// <summary>All that the decision about a cluster's birth depends on.</summary>
/// <param name="Bootstrap">The setting <c>Bootstrap</c>: the name of the one silo on which a cluster may be born, equal on all silos.</param>
/// <param name="OwnName">This silo's name.</param>
/// <param name="Known">The incarnation that this silo's folder knows; null where the folder is new.</param>
/// <param name="Others">The answers of all other silo names in membership, those of which every silo was declared dead included.</param>
/// <param name="Forced">An operator vouches that silos which don't answer know no cluster.</param>
public sealed record BirthQuestion(string? Bootstrap, string OwnName, UInt128? Known, IReadOnlyList<SiloAnswer> Others, bool Forced);

/// <summary>What a starting silo does about its cluster.</summary>
public abstract record BirthDecision
{
    private BirthDecision()
    {
    }

    /// <summary>The cluster is to be born here and now.</summary>
    public sealed record BeBorn : BirthDecision;

    /// <summary>This silo's folder belongs to a cluster already.</summary>
    /// <param name="Incarnation">Which one.</param>
    public sealed record AlreadyBorn(UInt128 Incarnation) : BirthDecision;

    /// <summary>Not yet: ask again when membership or an answer changes. Until then this silo neither votes nor leads.</summary>
    /// <param name="Reason">For the operator.</param>
    public sealed record Wait(string Reason) : BirthDecision;

    /// <summary>Never with these settings: the silo stops.</summary>
    /// <param name="Reason">For the operator; names the setting.</param>
    public sealed record Refuse(string Reason) : BirthDecision;
}

/// <summary>
/// Decides whether a cluster is born. Two births would be two truths under one name, so there is one place for it (the silo named by
/// the setting <c>Bootstrap</c>) and one moment (when nobody else knows a cluster, and everybody else has said so).
///
///   B1  A folder that knows an incarnation never takes part in another birth.
///   B2  Nothing, not even force, makes a second cluster while any silo says that it knows one.
///   B3  Silence is not a "no": a silo that does not answer may know a cluster, and so may one that is down and will come back with its
///       folder. Only an operator can vouch for it.
///   B4  Silos with folders of two clusters do not serve together: whoever finds himself among others' refuses.
///   B5  Two silos that name different places of birth would each find that nobody knows a cluster: both refuse.
/// </summary>
public static class Birth
{
    /// <summary>The answer to the question.</summary>
    public static BirthDecision Decide(BirthQuestion question)
    {
        ArgumentNullException.ThrowIfNull(question);
        if (Stranger(question) is { } stranger)
            return new BirthDecision.Refuse(stranger);                   // B4
        if (question.Known is { } known)
            return new BirthDecision.AlreadyBorn(known);                 // B1

        var others = question.Others.Where(other => other.Name != question.OwnName).ToList();
        if (others.FirstOrDefault(other => other.Incarnation is not null) is { Incarnation: { } theirs } knowing)
            return JoinLater(question, knowing.Name, theirs);
        if (string.IsNullOrEmpty(question.Bootstrap))
            return new BirthDecision.Refuse("The setting Bootstrap is empty and no silo knows a cluster. Set it, equally on all silos, to the name of the silo on which the cluster is to be born.");
        if (others.FirstOrDefault(other => other.Bootstrap is { Length: > 0 } and var place && place != question.Bootstrap) is { Bootstrap.Length: > 0 } otherwise)
            return new BirthDecision.Refuse($"The setting Bootstrap is '{question.Bootstrap}' on silo '{question.OwnName}' and '{otherwise.Bootstrap}' on silo '{otherwise.Name}'. Set it equally on all silos: a cluster is born in one place.");   // B5
        if (question.Bootstrap != question.OwnName)
            return question.Forced
                ? new BirthDecision.Refuse($"The birth of the cluster was forced on silo '{question.OwnName}', but the setting Bootstrap names '{question.Bootstrap}'. Force it there, or change the setting on all silos.")
                : new BirthDecision.Wait($"The cluster is to be born on silo '{question.Bootstrap}' (setting Bootstrap); '{question.OwnName}' waits for it.");

        var silent = others.Where(other => !other.Answered).Select(other => $"'{other.Name}'").Order(StringComparer.Ordinal).ToList();
        return silent.Count > 0 && !question.Forced
            ? new BirthDecision.Wait($"Before the cluster is born, every other silo must say that it knows none; no answer yet from {string.Join(", ", silent)}. Start them; of what is gone for good and never knew a cluster, vouch by the setting BootstrapForce.")
            : new BirthDecision.BeBorn();                                // B3
    }

    /// <summary>What the system group begins with.</summary>
    public static IReadOnlyList<CatalogueCommand> FirstCommands(UInt128 incarnation, int leaseMs, int marginMs, string nodeName, NodeId node) =>
    [
        new CatalogueCommand.ClusterBorn(incarnation, leaseMs, marginMs),
        new CatalogueCommand.NodeAdded(node, nodeName),
        new CatalogueCommand.BucketCreated(BucketId.Default, "default", GroupId.Default, [node]),
    ];

    /// <summary>Why this silo does not belong among those that answered; null where it may.</summary>
    private static string? Stranger(BirthQuestion question)
    {
        var known = question.Others.Where(other => other.Incarnation is not null).ToList();
        if (known.Count == 0)
            return null;
        var (name, own) = question.Known is { } mine ? (question.OwnName, mine) : (known[0].Name, known[0].Incarnation!.Value);
        return known.Find(other => other.Incarnation != own) is { Incarnation: { } theirs } stranger
            ? $"The data folder of silo '{name}' belongs to cluster {own:x32}, that of silo '{stranger.Name}' to cluster {theirs:x32}. Two clusters cannot serve under one name: keep the silos of one of them, and start the others with empty folders to add them to it, or under a cluster name of their own."
            : null;
    }

    private static BirthDecision JoinLater(BirthQuestion question, string knowing, UInt128 incarnation) => question.Forced
        ? new BirthDecision.Refuse($"The birth of a cluster was forced on silo '{question.OwnName}', but silo '{knowing}' knows cluster {incarnation:x32}. A second cluster would be a second truth.")   // B2
        : new BirthDecision.Wait($"Silo '{knowing}' knows cluster {incarnation:x32}; the data folder of '{question.OwnName}' is new, so it is a new node and has to be added to that cluster.");
}
