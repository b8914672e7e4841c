using Watch.Core.Keyspace;
using Xunit.Abstractions;

namespace Watch.Core.Tests.Keyspace;

/// <summary>
/// Clients that send each write several times, over a way that loses, repeats, delays and reorders, to a table with little room. The
/// checker keeps everything: of each write what it did and what it was answered. A client that is refused as unknown, and has lost no
/// answer to the write, sends it with a fresh id; a careless one does so in any case.
/// </summary>
internal sealed class RetryStorm(int seed, KeyspaceRules rules, ResultLimits limits, bool lateCopies, bool careless)
{
    private readonly Random _random = new(seed);
    private readonly BucketState _state = new(limits, rules);
    private readonly List<Write> _underWay = [];
    private readonly List<Write> _ended = [];
    private readonly Client[] _clients = [new(1), new(2), new(3)];
    private long _stamp;
    private int _unknown;

    /// <summary>One run; how many copies were refused as unknown.</summary>
    public static int Run(int seed, KeyspaceRules rules, ITestOutputHelper output, ResultLimits? limits = null, bool lateCopies = true, bool careless = false)
    {
        var storm = new RetryStorm(seed, rules, limits ?? new ResultLimits { ResultsMax = 6, ResultsPerClientMax = 4, SpanMs = 200 }, lateCopies, careless);
        try
        {
            for (var step = 0; step < 150; step++)
                storm.Step();
        }
        catch (Exception failure)
        {
            output.WriteLine($"storm seed {seed}");
            throw failure as ViolationException ?? new ViolationException($"seed {seed}: {failure.Message}");
        }

        return storm._unknown;
    }

    private void Step()
    {
        _stamp += _random.Next(10) == 0 ? _random.Next(300) : _random.Next(5);
        switch (_random.Next(6))
        {
            case 0 or 1 when _underWay.Count < 12:
                Begin(_clients[_random.Next(_clients.Length)]);
                break;
            case 2 when lateCopies && _ended.Count > 0:
                Arrive(_ended[_random.Next(_ended.Count)], isOpen: false);
                break;
            case 3 when _random.Next(4) == 0:
                Apply(new CompactCommand(new Revision(_random.NextInt64(_state.Compacted.Value, _state.Revision.Value + 1))));
                break;
            case 3 when _underWay.Count > 0 && _random.Next(4) == 0:
                Mistake(_underWay[_random.Next(_underWay.Count)]);
                break;
            case 4 when _underWay.Count > 0 && _random.Next(3) == 0:
                End(_underWay[_random.Next(_underWay.Count)]);                   // gives up
                break;
            default:
                if (_underWay.Count == 0)
                    break;
                var write = _underWay[_random.Next(_underWay.Count)];
                var answer = Arrive(write, isOpen: true);
                if (_random.Next(2) == 0)
                    Hear(write, answer);
                else
                    write.HasLostAnswer = true;
                break;
        }
    }

    private void Hear(Write write, Outcome answer)
    {
        if (answer.Status == ApplyStatus.Unknown && (careless || !write.HasLostAnswer))
        {
            write.Client.Open.Remove(write.Command.Id!.Value.Number);
            write.Client.Seen = _state.Applied;
            write.Renumber(NextId(write.Client));
            return;
        }

        write.Client.Seen = LogIndex.Max(write.Client.Seen, answer.Index);
        End(write);
    }

    private static WriteId NextId(Client client)
    {
        client.Last++;
        client.Open.Add(client.Last);
        return new WriteId(client.Id, client.Last, client.Seen, client.Open.Min);
    }

    private void Begin(Client client)
    {
        if (_random.Next(3) == 0)
            client.Seen = _state.Applied;
        var id = NextId(client);
        var key = Key.Of($"/{_random.Next(4)}");
        var condition = _random.Next(4) == 0 ? Condition.Absent : null;
        var command = _random.Next(4) == 0
            ? WriteCommand.Delete(key, condition, id)
            : WriteCommand.Put(key, System.Text.Encoding.UTF8.GetBytes($"{client.Id.Value}.{client.Last}"), condition, id);
        _underWay.Add(new Write(client, command));
    }

    private void End(Write write)
    {
        _underWay.Remove(write);
        _ended.Add(write);
        write.Client.Open.Remove(write.Command.Id!.Value.Number);
    }

    private Outcome Arrive(Write write, bool isOpen)
    {
        var before = _state.Revision;
        var answer = Apply(write.Command);
        if (_state.Revision != before)
            write.Effects++;
        Check(write.Effects <= 1, $"{write.Command.Id} took effect {write.Effects} times");
        if (answer.Status == ApplyStatus.Unknown)
        {
            _unknown++;
            Check(_state.Revision == before, $"{write.Command.Id} was refused and took effect");
            Check(!isOpen || lateCopies, $"{write.Command.Id} is open and was refused though there is room");
            return answer;
        }

        Check((write.Answer ??= Text(answer)) == Text(answer), $"{write.Command.Id} was answered {write.Answer}, then {Text(answer)}");
        var told = PreviousOf(answer);
        write.Previous ??= told;
        if (!answer.PreviousCompacted)
            Check(write.Previous == told, $"{write.Command.Id} was told of {write.Previous} before it, then of {told}");
        else
            Check(answer.Previous is null && answer.Revision <= _state.Compacted, $"{write.Command.Id} lost what was before it though history goes back behind {_state.Compacted}");
        return answer;
    }

    // Another write with the id of one that was answered.
    private void Mistake(Write write)
    {
        if (write.Answer is null)
            return;
        var before = _state.Revision;
        var answer = Apply(WriteCommand.Put(Key.Of("/mistake"), default, null, write.Command.Id));
        Check(answer.Status is ApplyStatus.IdTaken or ApplyStatus.Unknown && _state.Revision == before, $"{write.Command.Id} is another write's and was answered {Text(answer)}");
    }

    private Outcome Apply(Command command) => _state.Apply(command, new AppliedAt(_state.Applied.Next, new LogTime(_stamp), _stamp), NothingWatched.Instance);

    private static string Text(Outcome answer) =>
        $"{answer.Status} {answer.Revision} at {answer.Index}";

    private static string PreviousOf(Outcome answer) => answer.Previous is { } previous
        ? $"{previous.Key} {Convert.ToHexString(previous.Value.Span)} of {previous.CreateRevision}, {previous.ModRevision}, {previous.Version}"
        : "nothing";

    private static void Check(bool holds, string what)
    {
        if (!holds)
            throw new ViolationException(what);
    }

    internal sealed class ViolationException(string what) : Exception(what);

    private sealed class Client(int id)
    {
        public ClientId Id { get; } = new((UInt128)id);

        public long Last { get; set; }

        public LogIndex Seen { get; set; }

        public SortedSet<long> Open { get; } = [];
    }

    private sealed class Write(Client client, WriteCommand command)
    {
        public Client Client { get; } = client;

        public WriteCommand Command { get; private set; } = command;

        public bool HasLostAnswer { get; set; }

        public int Effects { get; set; }

        public string? Answer { get; set; }

        public string? Previous { get; set; }

        public void Renumber(WriteId id)
        {
            Command = Command.Kind == ChangeKind.Put
                ? WriteCommand.Put(Command.Key, Command.Value, Command.Condition, id)
                : WriteCommand.Delete(Command.Key, Command.Condition, id);
            (Answer, Previous, HasLostAnswer) = (null, null, false);
        }
    }
}
