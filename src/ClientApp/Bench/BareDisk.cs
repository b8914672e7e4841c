using Watch.Core.Storage;
using Watch.Grains.Storage;

namespace Watch.ClientApp.Bench;

/// <summary>
/// What the disk itself takes: the same bytes, appended the way the log appends (a file whose blocks are written out beforehand, a
/// write at a position, fdatasync), by the same code, with nothing of Watch around it.
/// </summary>
internal sealed class BareDisk : IDisposable
{
    private readonly PhysicalFileSystem _files = new();
    private readonly string _path;
    private readonly IFile _file;
    private readonly byte[] _content;
    private readonly TimeProvider _time;
    private long _position;

    public BareDisk(string folder, int bytes, int count, TimeProvider time)
    {
        _path = Path.Combine(folder, $"watch-bench-{Environment.ProcessId}.bare");
        _content = new byte[bytes];
        _time = time;
        Array.Fill(_content, (byte)'x');
        _file = _files.Create(_path);
        _file.Preallocate((long)bytes * count);
        _file.Sync();
    }

    /// <summary>The milliseconds of each of so many appends.</summary>
    public List<double> Measure(int count)
    {
        var milliseconds = new List<double>(count);
        for (var i = 0; i < count; i++, _position += _content.Length)
        {
            var begun = _time.GetTimestamp();
            _file.Write(_position, _content);
            _file.Sync();
            milliseconds.Add(_time.GetElapsedTime(begun).TotalMilliseconds);
        }

        return milliseconds;
    }

    public void Dispose()
    {
        _file.Dispose();
        _files.Delete(_path);
    }
}
