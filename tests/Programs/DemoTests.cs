namespace Watch.Programs.Tests;

public sealed class DemoTests
{
    [Fact]
    public async Task A_small_tree_is_verified_across_the_kill()
    {
        var tree = Directory.CreateTempSubdirectory("watch-test-").FullName;
        try
        {
            foreach (var name in (string[])["a", "b", "c", "d"])
            {
                Directory.CreateDirectory(Path.Combine(tree, name));
                for (var i = 0; i < 5; i++)
                    await File.WriteAllTextAsync(Path.Combine(tree, name, $"{i}.txt"), $"{name} {i}");
            }

            await using var demo = ProgramUnderTest.Start("watch.dll", ["demo", tree, "--seed", "7"]);
            await demo.LineAsync("killed with");
            await demo.LineAsync("verified: ");
            Assert.Equal(0, (await demo.EndAsync()).ExitCode);
        }
        finally
        {
            Directory.Delete(tree, recursive: true);
        }
    }
}
