using System.Globalization;

namespace Watch.Bench.Watching;

/// <summary>What is measured, and how long.</summary>
internal sealed record BenchOptions
{
    /// <summary>How many watchers; null for the usual row of numbers.</summary>
    public int? Watchers { get; init; }

    /// <summary>How many rounds; null for what the measurement takes usually.</summary>
    public int? Rounds { get; init; }

    /// <summary>How long one phase lasts; null for what the measurement takes usually.</summary>
    public TimeSpan? Phase { get; init; }

    /// <summary>How watchers read: <c>callback</c> (a function), <c>observer</c> (an object), <c>stream</c>, or <c>nobody</c>: registered and not read (for memory).</summary>
    public string By { get; init; } = "observer";

    /// <summary>Whether the watchers are outside the cluster; as the engine's gates want it unless said.</summary>
    public bool? IsRemote { get; init; }

    /// <summary>How many silos, all of them voters; as the engine's gates want it unless said.</summary>
    public int? Silos { get; init; }

    /// <summary>What happens to the one that stops reading; null for all policies, one after the other.</summary>
    public SlowPolicy? Policy { get; init; }

    /// <summary>Whether to tell what is allocated, by type; it costs time.</summary>
    public bool Profile { get; init; }

    /// <summary>Where the data folders are.</summary>
    public string Folder { get; init; } = Path.GetTempPath();

    /// <summary>Reads <c>--name value</c> pairs.</summary>
    public static BenchOptions Parse(ReadOnlySpan<string> arguments)
    {
        var options = new BenchOptions();
        for (var at = 0; at < arguments.Length; at += 2)
        {
            if (at + 1 == arguments.Length)
                throw new FormatException($"{arguments[at]} has no value.");
            var value = arguments[at + 1];
            options = arguments[at] switch
            {
                "--watchers" => options with { Watchers = Number(value) },
                "--rounds" => options with { Rounds = Number(value) },
                "--seconds" => options with { Phase = TimeSpan.FromSeconds(double.Parse(value, CultureInfo.InvariantCulture)) },
                "--by" when value is "callback" or "observer" or "stream" or "nobody" => options with { By = value },
                "--where" when value is "remote" or "hosted" => options with { IsRemote = value == "remote" },
                "--silos" => options with { Silos = Number(value) },
                "--policy" => options with { Policy = Enum.Parse<SlowPolicy>(value, ignoreCase: true) },
                "--profile" when value is "yes" or "no" => options with { Profile = value == "yes" },
                "--folder" => options with { Folder = value },
                _ => throw new FormatException($"{arguments[at]} {value} is not known. {Usage}"),
            };
        }

        return options;
    }

    /// <summary>How it is called.</summary>
    public const string Usage =
        "watch all|latency|fanout|idle|writes|memory|slow [--watchers N] [--rounds K] [--seconds S] [--by callback|observer|stream|nobody] [--where hosted|remote] [--silos N] [--policy P] [--folder F] [--profile yes|no]";

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
}
