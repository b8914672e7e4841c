using Spectre.Console;
using Watch.ClientApp.CommandLine;
using Watch.ClientApp.Output;

namespace Watch.ClientApp.Demo;

/// <summary>What a looker-on sees: a page that draws itself anew on a terminal, one line per step elsewhere.</summary>
internal sealed class DemoView(CommandContext context, TimeProvider time)
{
    private static readonly TimeSpan s_frame = TimeSpan.FromMilliseconds(120);
    private readonly long _begun = time.GetTimestamp();
    private readonly Lock _gate = new();
    private readonly List<string> _steps = [];

    /// <summary>What to draw besides the steps: name and present count.</summary>
    public Func<IReadOnlyList<(string Name, string Now)>> Gauges { get; set; } = () => [];

    /// <summary>The step that is under way.</summary>
    public string Step { get; private set; } = "";

    public void Begin(string step)
    {
        Step = step;
        var seconds = time.GetElapsedTime(_begun).TotalSeconds;
        lock (_gate)
            _steps.Add($"{seconds,6:F1} s  {step}");
        if (!context.IsDrawing)
            context.Output.Line(json => json.Text("type", "step").Measure("seconds", seconds).Text("step", step), () => $"{seconds,6:F1} s  {step}");
    }

    /// <summary>Draws while the work is done.</summary>
    public async Task WhileAsync(Func<Task> work)
    {
        if (!context.IsDrawing)
        {
            await work();
            return;
        }

        await AnsiConsole.Live(Picture()).StartAsync(async live =>
        {
            var working = work();
            using var frames = new PeriodicTimer(s_frame, time);
            while (!working.IsCompleted)
            {
                await Task.WhenAny(working, frames.WaitForNextTickAsync().AsTask());
                live.UpdateTarget(Picture());
                live.Refresh();
            }

            await working;
        });
    }

    private Panel Picture()
    {
        var gauges = new Table().NoBorder().HideHeaders().AddColumn("what").AddColumn("now");
        foreach (var (name, now) in Gauges())
            gauges.AddRow(Markup.Escape(name), $"[bold]{Markup.Escape(now)}[/]");
        string[] steps;
        lock (_gate)
            steps = [.. _steps];
        var text = string.Join('\n', steps.Select((each, i) => i == steps.Length - 1 ? $"[yellow]{Markup.Escape(each)}[/]" : $"[grey]{Markup.Escape(each)}[/]"));
        return new Panel(new Rows(new Markup(text), new Rule(), gauges)) { Header = new PanelHeader(" watch demo "), Expand = true };
    }
}
