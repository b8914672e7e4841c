using Watch.Core.Keyspace;

namespace Watch.Core.Tests.Keyspace;

public class ScanTests
{
    [Fact]
    public void A_page_of_keys_that_are_mostly_gone_looks_at_no_more_than_it_may_and_the_next_one_goes_on()
    {
        const int Keys = 1_000;
        const int VisitsMax = 64;
        var state = new BucketState();
        for (var key = 0; key < Keys; key++)
        {
            state.Apply(WriteCommand.Put(Key.Of($"/jobs/{key:0000}"), default), 0, NothingWatched.Instance);
            if (key % 250 != 7)
                state.Apply(WriteCommand.Delete(Key.Of($"/jobs/{key:0000}")), 0, NothingWatched.Instance);
        }

        var (found, pages, empty) = (new List<string>(), 0, 0);
        var request = new ScanRequest { KeysMax = 10, VisitsMax = VisitsMax };
        for (var more = true; more; pages++)
        {
            var page = state.Scan(KeyRange.Prefix(Key.Of("/jobs/")), request);
            found.AddRange(page.Items.Select(item => item.Key.ToString()));
            empty += page.Items.Count == 0 ? 1 : 0;
            Assert.Equal(page.More, page.Last is not null);
            (more, request) = (page.More, request with { After = page.Last, At = page.Revision });
        }

        Assert.Equal(["/jobs/0007", "/jobs/0257", "/jobs/0507", "/jobs/0757"], found);
        Assert.Equal((Keys + VisitsMax - 1) / VisitsMax, pages);
        Assert.True(empty > 8);
    }
}
