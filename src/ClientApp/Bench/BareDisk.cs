using Watch.ClientApp.Output;
using Watch.Grains.Storage;

namespace Watch.ClientApp.Bench;

/// <summary>
/// What the disk itself takes: the same bytes, appended the way the log appends (a file whose blocks are written out beforehand, a
/// write at a position, fdatasync), by the same code, with nothing of Watch around it.
/// </summary>
internal static class BareDisk
{
    private const int WarmUp = 20;

    public static Percentiles Measure(string folder, int bytes, int count, TimeProvider time)
    {
        var files = new PhysicalFileSystem();
        var path = Path.Combine(folder, $"watch-bench-{Environment.ProcessId}.bare");
        try
        {
            using var file = files.Create(path);
            file.Preallocate((long)bytes * (count + WarmUp));
            file.Sync();
            var content = new byte[bytes];
            Array.Fill(content, (byte)'x');
            var milliseconds = new List<double>(count);
            for (var i = 0; i < count + WarmUp; i++)
            {
                var begun = time.GetTimestamp();
                file.Write((long)i * bytes, content);
                file.Sync();
                if (i >= WarmUp)
                    milliseconds.Add(time.GetElapsedTime(begun).TotalMilliseconds);
            }

            return Percentiles.Of(milliseconds);
        }
        finally
        {
            files.Delete(path);
        }
    }
}
