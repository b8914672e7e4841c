using Watch.Core.Storage;
using Watch.Grains.Storage;

namespace Watch.Cluster.Tests;

/// <summary>What the machine's file system says of a disk without room is told as that, whichever call finds it out.</summary>
public sealed class PhysicalErrorTests
{
    private const int NoSpace = 28;
    private const int MediumError = 5;

    [Fact]
    public void A_call_that_finds_no_room_says_so_by_type_and_any_other_error_stays_what_it_is()
    {
        if (OperatingSystem.IsWindows())
            return;
        var full = new IOException("rename failed", NoSpace);
        var told = Assert.Throws<DiskFullException>(() => PhysicalFileSystem.Translated("a/file", () => throw full));
        Assert.Equal(("a/file", full), (told.File, told.InnerException));

        var other = new IOException("fsync failed", MediumError);
        Assert.Same(other, Assert.Throws<IOException>(() => PhysicalFileSystem.Translated("a/file", () => throw other)));
    }
}
