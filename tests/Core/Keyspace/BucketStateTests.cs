using Watch.Core.Keyspace;

namespace Watch.Core.Tests.Keyspace;

public class BucketStateTests
{
    [Fact]
    public void Only_commits_that_change_something_consume_a_revision() => Transcript.Play("""
        put /a 1                    -> Applied 1 before none
        put /a 1                    -> Applied 2 before 1 (created 1, modified 1, version 1)
        delete /b                   -> Unchanged 2 before none
        put /b 1 if exists          -> ConditionFailed 2 before none
        delete /b if exists         -> ConditionFailed 2 before none
        compact 1                   -> Applied 2
        compact 1                   -> Unchanged 2
        compact 3                   -> Unchanged 2
        put /b 1                    -> Applied 3 before none
        history * (1 3]             -> [2 /a=1 was 1; 3 /b=1] to 3
        """);

    [Fact]
    public void A_refused_condition_answers_with_the_key_as_it_is_and_leaves_nothing_in_history() => Transcript.Play("""
        put /a 1 if revision 0      -> Applied 1 before none
        put /a 2 if absent          -> ConditionFailed 1 before 1 (created 1, modified 1, version 1)
        put /a 2 if value 1         -> Applied 2 before 1 (created 1, modified 1, version 1)
        put /a 3 if value 1         -> ConditionFailed 2 before 2 (created 1, modified 2, version 2)
        put /a 3 if revision 1      -> ConditionFailed 2 before 2 (created 1, modified 2, version 2)
        put /a 3 if revision 2      -> Applied 3 before 2 (created 1, modified 2, version 2)
        delete /a if value 2        -> ConditionFailed 3 before 3 (created 1, modified 3, version 3)
        delete /a if value 3        -> Applied 4 before 3 (created 1, modified 3, version 3)
        put /a 4 if revision 4      -> ConditionFailed 4 before none
        put /a 4 if value 3         -> ConditionFailed 4 before none
        put /a 4 if absent          -> Applied 5 before none
        history /a (0 5]            -> [1 /a=1; 2 /a=2 was 1; 3 /a=3 was 2; 4 /a gone was 3; 5 /a=4] to 5
        """);

    [Fact]
    public void A_key_that_comes_back_starts_again() => Transcript.Play("""
        put /a 1                    -> Applied 1 before none
        put /a 2                    -> Applied 2 before 1 (created 1, modified 1, version 1)
        delete /a                   -> Applied 3 before 2 (created 1, modified 2, version 2)
        delete /a                   -> Unchanged 3 before none
        put /a 3                    -> Applied 4 before none
        get /a                      -> 3 (created 4, modified 4, version 1)
        get /a @ 3                  -> none
        get /a @ 2                  -> 2 (created 1, modified 2, version 2)
        get /a @ 0                  -> none
        get /a @ 5                  -> not reached, at 4
        """);

    [Fact]
    public void Links_name_the_last_change_of_each_watched_scope_and_of_no_other() => Transcript.Play("""
        put /a/x 1                  -> Applied 1 before none
        watch /a/                   -> ok
        watch *                     -> ok
        watch /a/y                  -> ok
        watch key:/a/               -> ok
        put /b 1                    -> Applied 2 before none, * after 1
        put /a/y 1                  -> Applied 3 before none, /a/y after 0, /a/ after 1, * after 2
        put /a/y 2                  -> Applied 4 before 1 (created 3, modified 3, version 1), /a/y after 3, /a/ after 3, * after 3
        put /a/ 1                   -> Applied 5 before none, key:/a/ after 0, /a/ after 4, * after 4
        put /a/y 3 if absent        -> ConditionFailed 5 before 2 (created 3, modified 4, version 2)
        delete /a/x                 -> Applied 6 before 1 (created 1, modified 1, version 1), /a/ after 5, * after 5
        put /ab 1                   -> Applied 7 before none, * after 6
        head /a/                    -> 6
        head key:/a/                -> 5
        head /                      -> 7
        """);

    [Fact]
    public void Pages_of_one_scan_are_of_one_revision_whatever_is_written_between_them() => Transcript.Play("""
        put /s/a 1                  -> Applied 1 before none
        put /s/b 1                  -> Applied 2 before none
        put /s/c 1                  -> Applied 3 before none
        put /t 1                    -> Applied 4 before none
        scan /s/ max 1              -> [/s/a=1] at 4, more
        delete /s/b                 -> Applied 5 before 1 (created 2, modified 2, version 1)
        put /s/aa 2                 -> Applied 6 before none
        put /s/c 2                  -> Applied 7 before 1 (created 3, modified 3, version 1)
        scan /s/ max 1 after /s/a @ 4  -> [/s/b=1] at 4, more
        scan /s/ max 1 after /s/b @ 4  -> [/s/c=1] at 4
        scan /s/                    -> [/s/a=1 /s/aa=2 /s/c=2] at 7
        scan /s/ keys               -> [/s/a /s/aa /s/c] at 7
        scan /s/ max 3              -> [/s/a=1 /s/aa=2 /s/c=2] at 7
        scan * max 2 after /s/aa    -> [/s/c=2 /t=1] at 7
        count /s/                   -> 3
        count /s/ @ 2               -> 2
        history /s/ (4 7]           -> [5 /s/b gone was 1; 6 /s/aa=2; 7 /s/c=2 was 1] to 7
        """);

    [Fact]
    public void History_pages_go_on_from_where_the_last_one_reached() => Transcript.Play("""
        put /a/1 x                  -> Applied 1 before none
        put /b/1 x                  -> Applied 2 before none
        put /a/2 x                  -> Applied 3 before none
        put /b/2 x                  -> Applied 4 before none
        history /a/ (0 4] max 1     -> [1 /a/1=x] to 1
        history /a/ (1 4] max 1     -> [3 /a/2=x] to 4
        history /a/ (3 4] max 1     -> [] to 4
        history /c/ (0 4] max 1     -> [] to 4
        history /a/ (1 2]           -> [] to 2
        history /a/ (0 5]           -> not reached, at 4
        """);

    [Fact]
    public void Compaction_keeps_what_a_read_at_it_needs_and_the_value_before_every_later_change() => Transcript.Play("""
        put /a 1                    -> Applied 1 before none
        put /a 2                    -> Applied 2 before 1 (created 1, modified 1, version 1)
        put /b 1                    -> Applied 3 before none
        delete /b                   -> Applied 4 before 1 (created 3, modified 3, version 1)
        put /c 1                    -> Applied 5 before none
        put /a 3                    -> Applied 6 before 2 (created 1, modified 2, version 2)
        delete /c                   -> Applied 7 before 1 (created 5, modified 5, version 1)
        compact 5                   -> Applied 7
        get /a @ 4                  -> compacted, first 5
        get /a @ 5                  -> 2 (created 1, modified 2, version 2)
        get /b @ 5                  -> none
        get /c @ 5                  -> 1 (created 5, modified 5, version 1)
        scan * @ 5                  -> [/a=2 /c=1] at 5
        history * (4 7]             -> compacted, first 6
        history /never/ (4 7]       -> compacted, first 6
        history * (5 7]             -> [6 /a=3 was 2; 7 /c gone was 1] to 7
        history /a (5 7]            -> [6 /a=3 was 2] to 7
        compact 7                   -> Applied 7
        scan * @ 7                  -> [/a=3] at 7
        put /c 2                    -> Applied 8 before none
        get /c                      -> 2 (created 8, modified 8, version 1)
        """);

    [Fact]
    public void An_empty_scope_is_forgotten_at_the_compaction_and_one_with_a_key_never() => Transcript.Play("""
        put /full/a 1               -> Applied 1 before none
        put /empty/a 1              -> Applied 2 before none
        delete /empty/a             -> Applied 3 before 1 (created 2, modified 2, version 1)
        put /x 1                    -> Applied 4 before none
        put /x 2                    -> Applied 5 before 1 (created 4, modified 4, version 1)
        watch /empty/               -> ok
        watch /full/                -> ok
        compact 5                   -> Applied 5
        head /full/                 -> 1
        head /full/a                -> 1
        head /empty/                -> 5
        head /empty/a               -> 5
        put /empty/b 1              -> Applied 6 before none, /empty/ after 5
        put /full/b 1               -> Applied 7 before none, /full/ after 1
        """);

    [Fact]
    public void A_compaction_may_keep_the_heads_of_empty_scopes_for_a_later_one_to_forget() => Transcript.Play("""
        put /e/a 1                  -> Applied 1 before none
        delete /e/a                 -> Applied 2 before 1 (created 1, modified 1, version 1)
        put /back/a 1               -> Applied 3 before none
        delete /back/a              -> Applied 4 before 1 (created 3, modified 3, version 1)
        put /x 1                    -> Applied 5 before none
        watch /e/                   -> ok
        watch /back/                -> ok
        compact 5 forget 0          -> Applied 5
        head /e/                    -> 2
        head /back/                 -> 4
        head /never/                -> 0
        put /back/a 2               -> Applied 6 before none, /back/ after 4
        put /x 2                    -> Applied 7 before 1 (created 5, modified 5, version 1)
        compact 7 forget 4          -> Applied 7
        head /e/                    -> 4
        head /back/                 -> 6
        put /e/b 1                  -> Applied 8 before none, /e/ after 4
        """);

    [Fact]
    public void Keys_are_bytes_and_prefixes_of_0xFF_have_an_end() => Transcript.Play("""
        put %FF%FF 1                -> Applied 1 before none
        put %FF 2                   -> Applied 2 before none
        put %00 3                   -> Applied 3 before none
        put /%FF/%00 4              -> Applied 4 before none
        put 0 5                     -> Applied 5 before none
        scan *                      -> [%00=3 /%FF/%00=4 0=5 %FF=2 %FF%FF=1] at 5
        scan %FF                    -> [%FF=2 %FF%FF=1] at 5
        scan %FF after %FF          -> [%FF%FF=1] at 5
        scan /%FF                   -> [/%FF/%00=4] at 5
        head /%FF/                  -> 4
        history /%FF/ (0 5]         -> [4 /%FF/%00=4] to 5
        """);

    [Fact]
    public void Keys_deeper_than_32_share_the_deepest_scope_and_a_deeper_scope_is_refused()
    {
        var deep = string.Concat(Enumerable.Repeat("d/", Scope.DepthMax));
        var state = new BucketState();
        state.Apply(WriteCommand.Put(Key.Of(deep + "d/one"), default), 0, NothingWatched.Instance);
        state.Apply(WriteCommand.Put(Key.Of(deep + "e/two"), default), 0, NothingWatched.Instance);

        Assert.Equal(Scope.DepthMax, state.SegmentCount);
        var page = state.History(Scope.OfPrefix(Key.Of(deep)), Revision.None, state.Revision, 10, 1_000);
        Assert.Equal(2, page.Commits.Count);
        Assert.Throws<ArgumentException>(() => state.HeadOf(new Scope(ScopeKind.Prefix, Key.Of(deep + "d/"))));
        Assert.Throws<ArgumentException>(() => state.History(new Scope(ScopeKind.Prefix, Key.Of("no-slash")), default, default, 1, 1));
    }

    [Fact]
    public void History_is_kept_within_its_limits_by_compactions_that_leave_room()
    {
        var limits = new HistoryLimits { RevisionsMax = 80, BytesMax = long.MaxValue };
        var state = new BucketState();
        var compactions = 0;
        for (var write = 0; write < 1_000; write++)
        {
            state.Apply(WriteCommand.Put(Key.Of($"/k/{write % 7}"), new byte[100]), 0, NothingWatched.Instance);
            if (state.DueCompaction(limits) is not { } through)
                continue;
            Assert.Equal(ApplyStatus.Applied, state.Apply(new CompactCommand(through), 0, NothingWatched.Instance).Status);
            Assert.Equal(70, state.HistoryChanges);
            compactions++;
        }

        Assert.Equal((1_000 - 70) / 11, compactions);
    }

    [Fact]
    public void History_is_kept_within_its_bytes_even_if_one_change_is_larger_than_all_of_them()
    {
        var state = new BucketState();
        var limits = new HistoryLimits { RevisionsMax = 1_000, BytesMax = 10_000 };
        for (var write = 1; write < 200; write++)
        {
            state.Apply(WriteCommand.Put(Key.Of("/k"), new byte[write % 50 == 0 ? 20_000 : 500]), 0, NothingWatched.Instance);
            if (state.DueCompaction(limits) is { } through)
                state.Apply(new CompactCommand(through), 0, NothingWatched.Instance);
            Assert.True(state.HistoryBytes <= limits.BytesMax);
            Assert.Null(state.DueCompaction(limits));
        }

        Assert.InRange(state.HistoryChanges, 5, 20);
    }

    [Fact]
    public void States_that_differ_anywhere_have_different_digests()
    {
        Command[] story =
        [
            WriteCommand.Put(Key.Of("/a"), "1"u8.ToArray()), WriteCommand.Put(Key.Of("/b"), "1"u8.ToArray()),
            WriteCommand.Delete(Key.Of("/a")), WriteCommand.Put(Key.Of("/a"), "2"u8.ToArray()), new CompactCommand(new Revision(2)),
        ];
        var digests = new HashSet<ulong> { DigestOf(story, time: 1), DigestOf(story, time: 2) };
        for (var left = 0; left < story.Length; left++)
            digests.Add(DigestOf([.. story[..left], .. story[(left + 1)..]], time: 1));
        Assert.Equal(2 + story.Length, digests.Count);
        Assert.Equal(DigestOf(story, time: 1), DigestOf(story, time: 1));
    }

    private static ulong DigestOf(Command[] story, long time)
    {
        var state = new BucketState();
        foreach (var command in story)
            state.Apply(command, time, NothingWatched.Instance);
        return state.Digest();
    }
}
