using System.Globalization;
using Watch.Core;

namespace Watch.Simulation.Tests.Workloads;

/// <summary>Somebody who uses the store, one operation after the other, until told to stop.</summary>
/// <param name="name">Its name; unique in the run.</param>
/// <param name="history">Where everything is written down.</param>
/// <param name="random">Chance from the seed.</param>
internal abstract class Actor(string name, History history, Random random)
{
    protected string Name => name;

    protected History History => history;

    protected Random Random => random;

    /// <summary>How long it waits between two steps.</summary>
    public virtual TimeSpan Pause => TimeSpan.FromMilliseconds(Random.Next(1, 300));

    /// <summary>Whether it never writes.</summary>
    public virtual bool OnlyReads => false;

    /// <summary>One step: a few operations.</summary>
    public abstract Task StepAsync(IWatchClient client);
}

/// <summary>Registers: puts, deletes and reads of a few keys, alone and together, and swaps of what it has read last.</summary>
internal sealed class RegisterActor(string name, History history, Random random) : Actor(name, history, random)
{
    public const int Keys = 4;

    private const string Prefix = "/registers/";

    private static readonly string[] s_all = [.. Enumerable.Range(0, Keys).Select(at => $"{Prefix}{at}")];

    private readonly Dictionary<string, string?> _known = [];
    private Revision _seen;

    public override async Task StepAsync(IWatchClient client)
    {
        if (Random.Next(8) == 0)
        {
            await ReadAllAsync(client);
            return;
        }

        var key = s_all[Random.Next(Keys)];
        var value = History.NewValue(Name);
        var operation = Random.Next(10) switch
        {
            < 5 => await ReadAsync(client, key),
            < 7 => await History.PutAsync(Name, client, key, value),
            < 9 => await History.SwapAsync(Name, client, key, _known.GetValueOrDefault(key), value),
            _ => await History.DeleteAsync(Name, client, key),
        };
        if (operation.Effect is Effect.Unknown or Effect.NotDone)
            return;
        _seen = Revision.Max(_seen, operation.Revision);
        _known[key] = operation.IsWrite && operation.Effect == Effect.Done ? operation.Value : operation.Seen;
    }

    private Task<Operation> ReadAsync(IWatchClient client, string key) => History.GetAsync(Name, client, key, AnyPolicy());

    /// <summary>All registers as they are at one revision: what is true of them together.</summary>
    private async Task ReadAllAsync(IWatchClient client)
    {
        var reads = Random.Next(2) == 0
            ? await History.GetManyAsync(Name, client, s_all, AnyPolicy())
            : await History.ScanAsync(Name, client, Prefix, s_all, 1 + Random.Next(Keys), AnyPolicy());
        foreach (var read in reads.Where(each => each.Effect == Effect.Done))
        {
            _seen = Revision.Max(_seen, read.Revision);
            _known[read.Key] = read.Seen;
        }
    }

    private ReadPolicy AnyPolicy() => Random.Next(10) switch
    {
        < 4 => ReadPolicy.Linearizable,
        < 8 => ReadPolicy.Lease,
        < 9 => ReadPolicy.Eventual,
        _ => ReadPolicy.AtLeast(_seen),
    };
}

/// <summary>
/// Somebody who only reads, all with one freshness. A writer beside a leader that is cut off waits for its write; this one goes on reading,
/// and a leader that takes itself for one for too long answers it.
/// </summary>
internal sealed class ReaderActor(string name, History history, Random random) : Actor(name, history, random)
{
    private readonly ReadPolicy _policy = random.Next(2) == 0 ? ReadPolicy.Lease : ReadPolicy.Linearizable;

    public override TimeSpan Pause => TimeSpan.FromMilliseconds(Random.Next(10, 120));

    public override bool OnlyReads => true;

    public override Task StepAsync(IWatchClient client) => History.GetAsync(Name, client, $"/registers/{Random.Next(RegisterActor.Keys)}", _policy);
}

/// <summary>
/// A bank: all accounts stand in one key, and a transfer swaps it for what follows from what was read. Whatever happens, the sum of all
/// accounts is the same in every state that anybody ever sees.
/// </summary>
internal sealed class BankActor(string name, History history, Random random) : Actor(name, history, random)
{
    public const string Key = "/bank/ledger";
    public const int Accounts = 5;
    public const int Each = 100;

    public override async Task StepAsync(IWatchClient client)
    {
        var read = await History.GetAsync(Name, client, Key);
        if (read.Effect != Effect.Done)
            return;
        var balances = read.Seen is { } ledger ? Parse(ledger) : [.. Enumerable.Repeat(Each, Accounts)];
        if (read.Seen is not null)
            Transfer(balances);
        // The number makes the value unique; the accounts stand behind it.
        await History.SwapAsync(Name, client, Key, read.Seen, $"{History.NewValue(Name)}:{string.Join(',', balances)}");
    }

    public static int[] Parse(string ledger) => [.. ledger[(ledger.IndexOf(':', StringComparison.Ordinal) + 1)..].Split(',').Select(each => int.Parse(each, CultureInfo.InvariantCulture))];

    private void Transfer(int[] balances)
    {
        var (from, to, amount) = (Random.Next(Accounts), Random.Next(Accounts), Random.Next(1, 20));
        balances[from] -= amount;
        balances[to] += amount;
    }
}

/// <summary>A set to which elements are only ever added, by swapping it for itself and one more.</summary>
internal sealed class SetActor(string name, History history, Random random) : Actor(name, history, random)
{
    public const string Key = "/sets/all";

    public override async Task StepAsync(IWatchClient client)
    {
        var read = await History.GetAsync(Name, client, Key);
        if (read.Effect == Effect.Done)
            await History.SwapAsync(Name, client, Key, read.Seen, read.Seen is null ? History.NewValue(Name) : $"{read.Seen} {History.NewValue(Name)}");
    }
}
