using System.CommandLine;
using System.Text;
using Watch.ClientApp.CommandLine;
using Watch.ClientApp.Output;
using Watch.Core;

namespace Watch.ClientApp.Commands;

/// <summary>The conditions of a write, as options of its command.</summary>
internal sealed class Conditions
{
    private readonly Option<long?> _revision = SharedOptions.Number("--if-revision", "Only where the key's last put has this revision.", 1, long.MaxValue);
    private readonly Option<bool> _absent = new("--if-absent") { Description = "Only where the key does not exist." };
    private readonly Option<string?> _value = new("--if-value") { Description = "Only where the key has this value.", HelpName = "VALUE" };

    public static Conditions AddTo(Command command)
    {
        var conditions = new Conditions();
        command.Add(conditions._revision);
        command.Add(conditions._absent);
        command.Add(conditions._value);
        command.Validators.Add(result =>
        {
            Option[] all = [conditions._revision, conditions._absent, conditions._value];
            if (all.Count(each => result.GetResult(each) is { Implicit: false }) > 1)
                result.AddError("--if-revision, --if-absent, --if-value: at most one of them is allowed.");
        });
        return conditions;
    }

    public WriteCondition? Of(ParseResult parsed)
    {
        if (parsed.GetValue(_absent))
            return WriteCondition.Absent;
        if (parsed.GetValue(_revision) is { } revision)
            return WriteCondition.At(new Revision(revision));
        return parsed.GetValue(_value) is { } value ? WriteCondition.Value(Encoding.UTF8.GetBytes(value)) : null;
    }

    /// <summary>Tells that a condition did not hold, and how the key is.</summary>
    public static int Refused(Key key, WriteResult result)
    {
        var now = result.Previous is { } entry
            ? $"it has revision {entry.ModRevision} and the value {Words.Value(entry.Value.Span)}"
            : result.PreviousCompacted ? "how it was is not known any more" : "it does not exist";
        CommandContext.Complain($"condition refused: nothing was changed; key {key}: {now}");
        return ExitCode.Failed;
    }
}
