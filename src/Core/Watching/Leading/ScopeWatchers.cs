namespace Watch.Core.Watching;

/// <summary>Who watches a scope: one silo most of the time, and then that is its registration and no more.</summary>
internal interface IScopeWatchers
{
    /// <summary>The silos, in ordinal order. The array is never changed in place: events that name them may still be on their way.</summary>
    string[] Silos { get; }

    /// <summary>The scope changed: each of them has to be told.</summary>
    void Mark(Revision head);

    /// <summary>These and one more.</summary>
    IScopeWatchers With(Registration registration);

    /// <summary>These without a silo, which is one of them; null where it is the only one.</summary>
    IScopeWatchers? Without(string name);
}

/// <summary>Several silos that watch one scope.</summary>
internal sealed class SeveralWatchers(Registration[] registrations) : IScopeWatchers
{
    public string[] Silos { get; } = Array.ConvertAll(registrations, each => each.Silo.Name);

    public void Mark(Revision head)
    {
        foreach (var each in registrations)
            each.Mark(head);
    }

    public IScopeWatchers With(Registration registration) => Of([.. registrations, registration]);

    public IScopeWatchers? Without(string name) => Of(Array.FindAll(registrations, each => !string.Equals(each.Silo.Name, name, StringComparison.Ordinal)));

    /// <summary>Those of one or more registrations, each of another silo.</summary>
    public static IScopeWatchers Of(Registration[] registrations)
    {
        if (registrations is [var only])
            return only;
        Array.Sort(registrations, static (one, other) => string.CompareOrdinal(one.Silo.Name, other.Silo.Name));
        return new SeveralWatchers(registrations);
    }
}
