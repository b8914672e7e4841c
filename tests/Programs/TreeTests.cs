using System.Runtime.InteropServices;
using System.Text.Json;

namespace Watch.Programs.Tests;

public sealed class TreeTests
{
    private const int Sigint = 2;

    [Fact]
    public async Task An_imported_tree_is_mirrored_across_restarts_of_server_and_mirror()
    {
        await using var server = new Server();
        await server.StartAsync();
        var source = Directory.CreateDirectory(Path.Combine(server.Folder, "source")).FullName;
        var target = Path.Combine(server.Folder, "target");
        await WriteAsync(source, "a.txt", "one");
        await WriteAsync(source, Path.Combine("deep", "er", "b.txt"), "two");
        await using var import = server.Begin("import", source, "/tree/", "--follow", "--output", "json");
        await import.LineAsync("\"imported\"");

        var mirror = server.Begin("mirror", "/tree/", target, "--output", "json");
        await mirror.LineAsync("registered");
        Same(source, target);
        await WriteAsync(source, "c.txt", "three");
        await mirror.LineAsync("c.txt");
        mirror.Signal(Sigint);
        Assert.Equal(0, (await mirror.EndAsync()).ExitCode);
        await mirror.DisposeAsync();

        await server.Process.KillAsync();
        await server.StartAsync();
        Directory.Delete(Path.Combine(source, "deep"), recursive: true);
        await import.LineAsync("\"delete\"");
        await using var again = server.Begin("mirror", "/tree/", target, "--output", "json");
        await again.LineAsync("\"delete\"");
        await WriteAsync(source, "d.txt", "four");
        await again.LineAsync("d.txt");
        Same(source, target);
        Assert.False(Directory.Exists(Path.Combine(target, "deep")));
    }

    [Fact]
    public async Task A_file_that_becomes_a_directory_and_back_is_never_both()
    {
        await using var server = new Server();
        await server.StartAsync();
        var source = Directory.CreateDirectory(Path.Combine(server.Folder, "source")).FullName;
        var aside = Path.Combine(server.Folder, "aside");
        var target = Path.Combine(server.Folder, "target");
        await WriteAsync(source, "one", "file");
        await WriteAsync(aside, "y", "below");
        await using var import = server.Begin("import", source, "/p/", "--follow", "--output", "json");
        await import.LineAsync("\"imported\"");
        await using var watch = server.Begin("watch", "--prefix", "/p/", "--output", "json");
        await watch.LineAsync("registered");
        await using var mirror = server.Begin("mirror", "/p/", target, "--output", "json");
        await mirror.LineAsync("registered");

        File.Move(Path.Combine(source, "one"), Path.Combine(server.Folder, "file"));
        Directory.Move(aside, Path.Combine(source, "one"));
        await ExpectAsync(watch, ("delete", "/p/one"), ("put", "/p/one/y"));
        await mirror.LineAsync("/p/one/y");
        Same(source, target);

        Directory.Move(Path.Combine(source, "one"), aside);
        File.Move(Path.Combine(server.Folder, "file"), Path.Combine(source, "one"));
        await ExpectAsync(watch, ("delete", "/p/one/y"), ("put", "/p/one"));
        await mirror.LineAsync("\"put\"");
        Same(source, target);
    }

    [Fact]
    public async Task Keys_that_excluded_each_other_for_a_moment_make_the_mirror_scan_and_those_that_still_do_end_it()
    {
        await using var server = new Server();
        await server.StartAsync();
        var target = Path.Combine(server.Folder, "target");
        await server.JsonAsync("put", "/p/one", "file");
        var mirror = server.Begin("mirror", "/p/", target, "--output", "json");
        await mirror.LineAsync("registered");
        mirror.Signal(Sigint);
        Assert.Equal(0, (await mirror.EndAsync()).ExitCode);
        await mirror.DisposeAsync();

        await server.JsonAsync("put", "/p/one/y", "below");
        await server.JsonAsync("delete", "/p/one");
        await using var again = server.Begin("mirror", "/p/", target, "--output", "json");
        await again.LineAsync("synchronized");
        Assert.Equal("below", await File.ReadAllTextAsync(Path.Combine(target, "one", "y")));
        await again.LineAsync("registered");

        await server.JsonAsync("put", "/p/one", "file");
        var ended = await again.EndAsync();
        Assert.Equal(1, ended.ExitCode);
        Assert.Contains("cannot both be in the mirror", ended.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_pipe_in_the_tree_is_told_and_the_rest_imported()
    {
        await using var server = new Server();
        await server.StartAsync();
        var source = Directory.CreateDirectory(Path.Combine(server.Folder, "source")).FullName;
        await WriteAsync(source, "small", "small");
        Assert.Equal(0, mkfifo(Path.Combine(source, "pipe"), 0x1A4));
        var ended = await server.RunAsync("import", source, "/tree/");
        Assert.Equal(1, ended.ExitCode);
        Assert.Contains("not imported: pipe: ", ended.Error, StringComparison.Ordinal);
        Assert.Equal("small", (await server.JsonAsync("get", "/tree/small"))[0].GetProperty("value").GetString());
        Assert.Equal(1, (await server.RunAsync("get", "/tree/pipe")).ExitCode);
    }

    [Theory]
    [InlineData("/tree/../escaped")]
    [InlineData("/tree//double")]
    [InlineData("/tree/dir/")]
    public async Task A_key_that_can_be_no_file_stops_the_mirror_before_it_writes_anything(string key)
    {
        await using var server = new Server();
        await server.StartAsync();
        await server.JsonAsync("put", "/tree/good", "good");
        await server.JsonAsync("put", key, "bad");
        var target = Path.Combine(server.Folder, "target");
        var ended = await server.RunAsync("mirror", "/tree/", target);
        Assert.Equal(1, ended.ExitCode);
        Assert.Contains(key, ended.Error, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(target));
        Assert.False(File.Exists(Path.Combine(server.Folder, "escaped")));
    }

    [Fact]
    public async Task A_file_over_the_limit_is_told_and_the_rest_imported()
    {
        await using var server = new Server();
        await server.StartAsync();
        var source = Directory.CreateDirectory(Path.Combine(server.Folder, "source")).FullName;
        await WriteAsync(source, "small", "small");
        await File.WriteAllBytesAsync(Path.Combine(source, "large"), new byte[(1 << 20) + 1]);
        var ended = await server.RunAsync("import", source, "/tree/");
        Assert.Equal(1, ended.ExitCode);
        Assert.Contains("large", ended.Error, StringComparison.Ordinal);
        Assert.Equal("small", (await server.JsonAsync("get", "/tree/small"))[0].GetProperty("value").GetString());
    }

    [DllImport("libc", SetLastError = true)]
    private static extern int mkfifo([MarshalAs(UnmanagedType.LPUTF8Str)] string path, uint mode);

    private static async Task ExpectAsync(ProgramUnderTest watch, params (string Type, string Key)[] events)
    {
        foreach (var expected in events)
        {
            var seen = JsonDocument.Parse(await watch.LineAsync("{")).RootElement;
            Assert.Equal(expected, (seen.GetProperty("type").GetString(), seen.GetProperty("key").GetString()));
        }
    }

    private static async Task WriteAsync(string root, string path, string content)
    {
        var full = Path.Combine(root, path);
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        // In one step, so that nobody reads half of it.
        await File.WriteAllTextAsync(root + ".new", content);
        File.Move(root + ".new", full, overwrite: true);
    }

    private static void Same(string expected, string actual) => Assert.Equal(Contents(expected), Contents(actual));

    private static Dictionary<string, string> Contents(string root) =>
        Directory.GetFiles(root, "*", SearchOption.AllDirectories).ToDictionary(file => Path.GetRelativePath(root, file), File.ReadAllText);
}
