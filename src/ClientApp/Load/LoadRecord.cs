using System.Globalization;

namespace Watch.ClientApp.Load;

/// <summary>
/// What writers, readers and watcher were told, a line each, written as it happens:
/// <c>a TIME WRITER KEY VALUE REVISION</c> acknowledged, <c>u TIME WRITER KEY VALUE</c> outcome unknown, <c>f TIME WRITER KEY VALUE</c>
/// refused, so certainly not carried out, <c>q TIME READER POLICY KEY REVISION</c> a read begins (of that revision or later where the policy
/// says so), <c>r TIME READER VALUE REVISION</c> what it answered, <c>n TIME READER</c> it was not answered,
/// <c>e TIME KEY VALUE REVISION</c> an event, <c>s KEY VALUE REVISION</c> how a key stands at the end,
/// <c>x TEXT</c> the end of the watch. TIME is in milliseconds since 1970. Thread-safe.
/// </summary>
internal sealed class LoadRecord : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly TimeProvider _time;
    private readonly StreamWriter _file;

    public LoadRecord(string path, TimeProvider time)
    {
        _time = time;
        // Flushed line by line: whoever looks at the file while the load runs sees what was acknowledged until then.
        _file = new StreamWriter(new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.Read)) { AutoFlush = true, NewLine = "\n" };
    }

    public long Acknowledged { get; private set; }

    public long Unknown { get; private set; }

    public long Refused { get; private set; }

    public long Seen { get; private set; }

    public long Answered { get; private set; }

    public long Unanswered { get; private set; }

    public void Acknowledge(int writer, string key, string value, long revision)
    {
        lock (_gate)
        {
            Acknowledged++;
            Write($"a {Now} {writer} {key} {value} {revision}");
        }
    }

    public void Lose(int writer, string key, string value)
    {
        lock (_gate)
        {
            Unknown++;
            Write($"u {Now} {writer} {key} {value}");
        }
    }

    public void Refuse(int writer, string key, string value)
    {
        lock (_gate)
        {
            Refused++;
            Write($"f {Now} {writer} {key} {value}");
        }
    }

    /// <summary>A read begins: what is recorded as acknowledged before this line was acknowledged before the read.</summary>
    public void Ask(int reader, ReadPolicy policy, string key)
    {
        lock (_gate)
            Write($"q {Now} {reader} {policy.Kind} {key} {policy.Revision.Value}");
    }

    /// <summary>What a read answered; null for a key that is not there.</summary>
    public void Answer(int reader, string? value, long revision)
    {
        lock (_gate)
        {
            Answered++;
            Write($"r {Now} {reader} {value ?? "-"} {revision}");
        }
    }

    public void AnswerNothing(int reader)
    {
        lock (_gate)
        {
            Unanswered++;
            Write($"n {Now} {reader}");
        }
    }

    public void See(string key, string value, long revision)
    {
        lock (_gate)
        {
            Seen++;
            Write($"e {Now} {key} {value} {revision}");
        }
    }

    public void Stands(string key, string value, long revision)
    {
        lock (_gate)
            Write($"s {key} {value} {revision}");
    }

    public void End(string text)
    {
        lock (_gate)
            Write($"x {text.ReplaceLineEndings(" ")}");
    }

    public ValueTask DisposeAsync() => _file.DisposeAsync();

    private long Now => _time.GetUtcNow().ToUnixTimeMilliseconds();

    private void Write(FormattableString line) => _file.WriteLine(line.ToString(CultureInfo.InvariantCulture));
}
