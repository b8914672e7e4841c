using System.CommandLine;
using Watch.ClientApp.Bench;
using Watch.ClientApp.CommandLine;
using Watch.ClientApp.Demo;
using Watch.ClientApp.Output;

namespace Watch.ClientApp.Commands;

/// <summary><c>watch bench</c>: how long puts and events take, beside what the disk alone takes for the same bytes.</summary>
internal static class BenchCommand
{
    private const int DiskSamples = 1000;
    private const int WatchSamples = 1000;
    private const int Rounds = 20;
    private static readonly TimeSpan s_warmUp = TimeSpan.FromSeconds(2);

    private static readonly Option<int?> s_clients = SharedOptions.Number("--clients", "How many clients put at once. [default: 1]", 1, 10_000);
    private static readonly Option<int?> s_seconds = SharedOptions.Number("--seconds", "How long puts are measured. [default: 5]", 1, 3600);
    private static readonly Option<int?> s_valueSize = SharedOptions.Number("--value-size", "The bytes of a value. [default: 256]", 0, 16 << 20);
    private static readonly Option<bool> s_inProcess = new("--in-process") { Description = "Measure a server inside this process, on data that is thrown away, instead of one that runs." };
    private static readonly Option<string?> s_folder = new("--folder") { Description = "Where that data, and the measure of the disk, are kept meanwhile; by default the folder for temporary files.", HelpName = "DIR" };

    public static Command Create() =>
        new Command("bench", "Measures puts and events. Writes keys below /bench/.") { s_clients, s_seconds, s_valueSize, s_inProcess, s_folder }.Does(RunAsync);

    private static async Task<int> RunAsync(CommandContext context, CancellationToken cancellationToken)
    {
        var parent = Path.GetFullPath(context.Parsed.GetValue(s_folder) ?? Path.GetTempPath());
        if (!Directory.Exists(parent))
            throw new UsageException($"--folder: the directory '{parent}' does not exist");
        var folder = Directory.CreateDirectory(Path.Combine(parent, $"watch-bench-{Environment.ProcessId}")).FullName;
        try
        {
            if (!context.Parsed.GetValue(s_inProcess))
            {
                await using var connection = await context.ConnectAsync(cancellationToken);
                await MeasureAsync(context, connection.Client, folder, cancellationToken);
                return ExitCode.Ok;
            }

            await using var server = await HostedServer.StartAsync(Path.Combine(folder, "data"), FreePorts.Two(), cancellationToken);
            await MeasureAsync(context, server.Client, folder, cancellationToken);
            return ExitCode.Ok;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task MeasureAsync(CommandContext context, IWatchClient client, string folder, CancellationToken cancellationToken)
    {
        var time = TimeProvider.System;
        var clients = context.Parsed.GetValue(s_clients) ?? 1;
        var duration = TimeSpan.FromSeconds(context.Parsed.GetValue(s_seconds) ?? 5);
        var bench = new LoadBench(client, context.Parsed.GetValue(s_valueSize) ?? 256, time);

        var before = await client.StatusAsync(cancellationToken);
        await bench.PutsAsync(1, s_warmUp, cancellationToken);
        var after = await client.StatusAsync(cancellationToken);
        var bytes = (int)Math.Max(1, (after.LogBytes - before.LogBytes) / Math.Max(1, after.Revision.Value - before.Revision.Value));
        using var bare = new BareDisk(folder, bytes, DiskSamples, time);

        // Turn and turn about, so that what else the machine does meanwhile weighs on both.
        var (puts, disks) = (new List<double>(), new List<double>());
        for (var round = 0; round < Rounds; round++)
        {
            puts.AddRange(await bench.PutsAsync(clients, duration / Rounds, cancellationToken));
            disks.AddRange(bare.Measure(DiskSamples / Rounds));
        }

        var (put, disk, perSecond) = (Percentiles.Of(puts), Percentiles.Of(disks), puts.Count / duration.TotalSeconds);
        var watch = await bench.WatchAsync(WatchSamples, cancellationToken);

        Tell(context, "put", $"put, {clients} at once", put, json => json.Number("clients", clients).Measure("perSecond", perSecond), $"  {perSecond:F0} per second");
        Tell(context, "disk", $"bare fdatasync of {bytes} bytes", disk, json => json.Number("bytes", bytes).Text("folder", folder), $"  put is {put.P50 / disk.P50:F2} times that at the median");
        Tell(context, "watch", "event after its put's answer", watch, _ => { }, "");
    }

    private static void Tell(CommandContext context, string type, string name, Percentiles latency, Action<JsonLine> more, string remark) =>
        context.Output.Line(
            json =>
            {
                json.Text("type", type);
                latency.Fields(json);
                more(json);
            },
            () => $"{name,-30}  {latency}{remark}");
}
