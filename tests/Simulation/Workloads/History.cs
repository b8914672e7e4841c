using System.Text;
using Watch.Core;

namespace Watch.Simulation.Tests.Workloads;

/// <summary>All operations of a run, in the order in which they were begun.</summary>
/// <param name="leaseReads">Whether reads by lease are asked for; otherwise those are linearizable ones.</param>
internal sealed class History(bool leaseReads)
{
    private readonly List<Operation> _operations = [];
    private long _clock;
    private long _values;

    public IReadOnlyList<Operation> Operations => _operations;

    /// <summary>A value that nobody else writes.</summary>
    public string NewValue(string client) => $"{client}.{++_values}";

    public async Task<Operation> GetAsync(string client, IWatchClient by, string key, ReadPolicy policy = default)
    {
        if (policy.Kind == ReadKind.Lease && !leaseReads)
            policy = ReadPolicy.Linearizable;
        var operation = Begin(client, OperationKind.Get, key, policy: policy);
        await EndAsync(operation, async () =>
        {
            var read = await by.GetAsync(Key.Of(key), policy);
            (operation.Seen, operation.Revision) = (Text(read.Key), read.Revision);
            return Effect.Done;
        });
        return operation;
    }

    /// <summary>Reads several keys at one revision: as many reads, which are answered together.</summary>
    public Task<IReadOnlyList<Operation>> GetManyAsync(string client, IWatchClient by, IReadOnlyList<string> keys, ReadPolicy policy = default) =>
        ReadTogetherAsync(client, keys, policy, async used =>
        {
            var read = await by.GetManyAsync([.. keys.Select(key => Key.Of(key))], used);
            return ([.. read.Keys.Select(Text)], read.Revision);
        });

    /// <summary>The same by a scan of their prefix, in pages; what it does not list is absent.</summary>
    public Task<IReadOnlyList<Operation>> ScanAsync(string client, IWatchClient by, string prefix, IReadOnlyList<string> keys, int keysMax, ReadPolicy policy = default) =>
        ReadTogetherAsync(client, keys, policy, async used =>
        {
            var request = new ScanRequest(Key.Of(prefix), keysMax, Policy: used);
            var read = await by.ScanAsync(request);
            var all = read.Keys.ToList();
            while (read.More)
            {
                read = await by.ScanAsync(request with { After = all[^1].Key, At = read.Revision });
                all.AddRange(read.Keys);
            }

            var found = all.Select(each => Encoding.UTF8.GetString(each.Key.Span)).ToList();
            if (found.Except(keys).Any() || !found.SequenceEqual(found.Distinct().Order(StringComparer.Ordinal)))
                throw new ViolationException($"Scan: {client} asked for what begins with {prefix} and was told of {string.Join(", ", found)}.");
            return ([.. keys.Select(key => Text(all.Find(each => each.Key == Key.Of(key))))], read.Revision);
        });

    public Task<Operation> PutAsync(string client, IWatchClient by, string key, string value) =>
        WriteAsync(Begin(client, OperationKind.Put, key, value), () => by.PutAsync(Key.Of(key), Encoding.UTF8.GetBytes(value)));

    public Task<Operation> DeleteAsync(string client, IWatchClient by, string key) =>
        WriteAsync(Begin(client, OperationKind.Delete, key), () => by.DeleteAsync(Key.Of(key)));

    public Task<Operation> SwapAsync(string client, IWatchClient by, string key, string? expected, string value)
    {
        var condition = expected is null ? WriteCondition.Absent : WriteCondition.Value(Encoding.UTF8.GetBytes(expected));
        return WriteAsync(Begin(client, OperationKind.Swap, key, value, expected), () => by.PutAsync(Key.Of(key), Encoding.UTF8.GetBytes(value), condition));
    }

    private async Task<IReadOnlyList<Operation>> ReadTogetherAsync(string client, IReadOnlyList<string> keys, ReadPolicy policy, Func<ReadPolicy, Task<(string?[] Seen, Revision Revision)>> read)
    {
        if (policy.Kind == ReadKind.Lease && !leaseReads)
            policy = ReadPolicy.Linearizable;
        var operations = keys.Select(key => Begin(client, OperationKind.Get, key, policy: policy)).ToList();
        await EndAsync(operations[0], async () =>
        {
            var (seen, revision) = await read(policy);
            for (var at = 0; at < operations.Count; at++)
                (operations[at].Seen, operations[at].Revision) = (seen[at], revision);
            return Effect.Done;
        });
        foreach (var other in operations)
            (other.Effect, other.Returned, other.Error) = (operations[0].Effect, operations[0].Returned, operations[0].Error);
        return operations;
    }

    private async Task<Operation> WriteAsync(Operation operation, Func<Task<WriteResult>> write)
    {
        await EndAsync(operation, async () =>
        {
            var result = await write();
            (operation.Seen, operation.Revision, operation.IsBlind) = (Text(result.Previous), result.Revision, result.PreviousCompacted);
            return result.Succeeded ? Effect.Done : Effect.ConditionFailed;
        });
        return operation;
    }

    private Operation Begin(string client, OperationKind kind, string key, string? value = null, string? expected = null, ReadPolicy policy = default)
    {
        var operation = new Operation { Client = client, Kind = kind, Key = key, Value = value, Expected = expected, Policy = policy, Invoked = ++_clock };
        _operations.Add(operation);
        return operation;
    }

    private async Task EndAsync(Operation operation, Func<Task<Effect>> call)
    {
        try
        {
            operation.Effect = await call();
            operation.Returned = ++_clock;
        }
        catch (WatchException error)
        {
            operation.Error = $"{error.Code}: {error.Message}";
            if (error.Code is not (WatchErrorCode.NoQuorum or WatchErrorCode.Busy or WatchErrorCode.ShuttingDown or WatchErrorCode.Unavailable))
                return;
            operation.Effect = Effect.NotDone;
            operation.Returned = ++_clock;
        }
    }

    private static string? Text(KeyValue? key) => key is null ? null : Encoding.UTF8.GetString(key.Value.Span);
}
