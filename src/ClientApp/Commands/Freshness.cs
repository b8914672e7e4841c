using System.CommandLine;
using System.Globalization;
using Watch.Core;

namespace Watch.ClientApp.Commands;

/// <summary>How fresh an answer has to be, as an option of the commands that read.</summary>
internal static class Freshness
{
    public static readonly Option<ReadPolicy> Option = new("--read")
    {
        Description = "How fresh: linearizable (default), lease, eventual, or a revision that must be in it.",
        HelpName = "linearizable|lease|eventual|REVISION",
        CustomParser = result =>
        {
            var text = result.Tokens[0].Value;
            switch (text)
            {
                case "linearizable":
                    return ReadPolicy.Linearizable;
                case "lease":
                    return ReadPolicy.Lease;
                case "eventual":
                    return ReadPolicy.Eventual;
            }

            if (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var revision) && revision >= 1)
                return ReadPolicy.AtLeast(new Revision(revision));
            result.AddError($"--read: '{text}' is neither linearizable, lease or eventual, nor a revision from 1 to {long.MaxValue}.");
            return default;
        },
    };
}
