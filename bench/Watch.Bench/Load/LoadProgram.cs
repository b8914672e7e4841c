using System.Globalization;
using Watch.ClientApp.Bench;
using Watch.Core;

namespace Watch.Bench.Load;

/// <summary>
/// <c>load [seconds per figure] [folder] [part of a name]</c>: puts and reads of 256-byte values at one voter and at three in this process, beside what the
/// disk alone takes, all in one run; or only the figures whose names have that part.
/// </summary>
internal static class LoadProgram
{
    private const int Clients = 64;
    private const int Keys = 1000;
    private const int ValueBytes = 256;

    /// <summary>What a put of such a value to such a key takes in the log, about.</summary>
    private const int RecordBytes = 420;
    private const int DiskSamples = 2000;
    private const int Turns = 10;
    private static string s_only = "";
    private static readonly byte[] s_value = [.. Enumerable.Repeat((byte)'v', ValueBytes)];

    public static async Task<int> RunAsync(string[] options)
    {
        var span = TimeSpan.FromSeconds(options.Length > 0 ? double.Parse(options[0], CultureInfo.InvariantCulture) : 5);
        var folder = Directory.CreateDirectory(Path.Combine(options.Length > 1 ? options[1] : Path.GetTempPath(), $"watch-load-{Environment.ProcessId}")).FullName;
        s_only = options.Length > 2 ? options[2] : "";
        Console.WriteLine($"{Clients} clients, {ValueBytes}-byte values, {span.TotalSeconds} s per figure, {Environment.ProcessorCount} processors, data in {folder}");
        try
        {
            foreach (var voters in new[] { 1, 3 })
            {
                await using var cluster = await VoterCluster.StartAsync(voters, Path.Combine(folder, $"{voters}"));
                await MeasureAsync(cluster, voters, span, folder);
            }

            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"1,000 idle groups on three nodes: {IdleGroups.MeasureShare():P3} of one processor, all three together"));
            return 0;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task MeasureAsync(VoterCluster cluster, int voters, TimeSpan span, string folder)
    {
        var name = voters == 1 ? "1 voter" : $"{voters} voters";
        var clients = cluster.Clients;
        await new Phase("warm-up").RunAsync(Clients, span / 2, (client, at) => clients[client % clients.Count].PutAsync(KeyOf(client, at), s_value));

        await BesideDiskAsync(name, clients[0], span, folder);
        await ShowAsync($"{name}: puts, clients at the leader", span, (client, at) => clients[0].PutAsync(KeyOf(client, at), s_value));
        if (voters > 1)
            await ShowAsync($"{name}: puts, clients everywhere", span, (client, at) => clients[client % clients.Count].PutAsync(KeyOf(client, at), s_value));
        foreach (var policy in new[] { ReadPolicy.Linearizable, ReadPolicy.Lease, ReadPolicy.Eventual })
        {
            await ShowAsync($"{name}: {policy.Kind} gets, clients at the leader", span, (client, at) => clients[0].GetAsync(KeyOf(client, at), policy));
            if (voters > 1)
                await ShowAsync($"{name}: {policy.Kind} gets, clients everywhere", span, (client, at) => clients[client % clients.Count].GetAsync(KeyOf(client, at), policy));
        }
    }

    /// <summary>Turn and turn about, so that what else the machine does meanwhile weighs on both.</summary>
    private static async Task BesideDiskAsync(string name, IWatchClient client, TimeSpan span, string folder)
    {
        if (s_only.Length > 0)
            return;
        using var bare = new BareDisk(folder, RecordBytes, DiskSamples, TimeProvider.System);
        var (put, disks) = (new Phase($"{name}: puts, one client"), new List<double>());
        for (var turn = 0; turn < Turns; turn++)
        {
            await put.RunAsync(1, span / Turns, (_, at) => client.PutAsync(KeyOf(0, at), s_value));
            disks.AddRange(bare.Measure(DiskSamples / Turns));
        }

        disks.Sort();
        var disk = disks[disks.Count / 2];
        Console.WriteLine(put);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{"",-46} bare write and fdatasync of {RecordBytes} bytes: p50 {disk:F3} ms; the put takes {put.Median / disk:F2} times that"));
    }

    private static async Task ShowAsync(string name, TimeSpan span, Func<int, int, Task> act)
    {
        if (!name.Contains(s_only, StringComparison.Ordinal))
            return;
        var phase = new Phase(name);
        await phase.RunAsync(Clients, span, act);
        Console.WriteLine(phase);
    }

    private static Key KeyOf(int client, int at) => Key.Of($"/load/{client}/{at % Keys}");
}
