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
}

/// <summary>What standard output holds.</summary>
internal enum OutputFormat
{
    /// <summary>Lines and tables for people.</summary>
    Text,

    /// <summary>One JSON object per line.</summary>
    Json,
}
