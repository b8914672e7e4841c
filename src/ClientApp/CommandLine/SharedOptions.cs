using System.CommandLine;

namespace Watch.ClientApp.CommandLine;

/// <summary>The options that every command has.</summary>
internal static class SharedOptions
{
    public static readonly Option<ServerAddress> Connect = new("--connect")
    {
        Description = "The server's gateway; several of one cluster behind commas.",
        HelpName = "HOST:PORT[,…]",
        Recursive = true,
        DefaultValueFactory = _ => ServerAddress.Default,
        CustomParser = result =>
        {
            if (ServerAddress.TryParse(result.Tokens[0].Value, out var address))
                return address;
            result.AddError($"--connect: '{result.Tokens[0].Value}' is not HOST:PORT with a port from 1 to 65535, such as {ServerAddress.Default}.");
            return ServerAddress.Default;
        },
    };

    public static readonly Option<OutputFormat> Output = new("--output")
    {
        Description = "What standard output holds: text for people, or one JSON object per line.",
        HelpName = "text|json",
        Recursive = true,
        CustomParser = result =>
        {
            switch (result.Tokens[0].Value)
            {
                case "text":
                    return OutputFormat.Text;
                case "json":
                    return OutputFormat.Json;
                default:
                    result.AddError($"--output: '{result.Tokens[0].Value}' is no format; allowed are text and json.");
                    return OutputFormat.Text;
            }
        },
    };

    /// <summary>An option that takes a whole number in a range.</summary>
    public static Option<T?> Number<T>(string name, string description, T min, T max)
        where T : struct, System.Numerics.INumber<T> => new(name)
        {
            Description = description,
            HelpName = "N",
            CustomParser = result =>
            {
                var text = result.Tokens[0].Value;
                if (T.TryParse(text, System.Globalization.NumberStyles.AllowLeadingSign, null, out var value) && value >= min && value <= max)
                    return value;
                result.AddError($"{name}: '{text}' is not a whole number from {min} to {max}.");
                return null;
            },
        };

    /// <summary>An option that takes a time: a whole number and its unit, <c>ms</c>, <c>s</c>, <c>m</c> or <c>h</c>.</summary>
    public static Option<TimeSpan?> Duration(string name, string description, TimeSpan min, TimeSpan max) => new(name)
    {
        Description = description,
        HelpName = "TIME",
        CustomParser = result =>
        {
            var text = result.Tokens[0].Value;
            if (TryParse(text, out var value) && value >= min && value <= max)
                return value;
            result.AddError($"{name}: '{text}' is not a time from {min.TotalMilliseconds:0} ms to {max.TotalMinutes:0} m; one is a whole number with ms, s, m or h behind it, such as 500ms or 5s.");
            return null;
        },
    };

    private static bool TryParse(string text, out TimeSpan value)
    {
        (string Unit, double Ms)[] units = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];
        foreach (var (unit, ms) in units)
        {
            if (!text.EndsWith(unit, StringComparison.Ordinal) || !int.TryParse(text.AsSpan(0, text.Length - unit.Length), System.Globalization.NumberStyles.None, null, out var count))
                continue;
            value = TimeSpan.FromMilliseconds(count * ms);
            return true;
        }

        value = default;
        return false;
    }
}

/// <summary>What standard output holds.</summary>
internal enum OutputFormat
{
    /// <summary>Lines and tables for people.</summary>
    Text,

    /// <summary>One JSON object per line.</summary>
    Json,
}
