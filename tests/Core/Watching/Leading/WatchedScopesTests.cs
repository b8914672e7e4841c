using Watch.Core;
using Watch.Core.Watching;

namespace Watch.Core.Tests.Watching;

/// <summary>What the leader knows of who watches what.</summary>
public class WatchedScopesTests
{
    private static readonly Scope A = Scope.OfKey(Key.Of("/a"));
    private static readonly Scope B = Scope.OfPrefix(Key.Of("/a/"));

    [Fact]
    public void Silos_are_listed_in_order_in_an_array_that_events_share()
    {
        var watched = new WatchedScopes();
        Assert.False(watched.Any);
        Assert.True(watched.Register(A, "s2", default));
        Assert.True(watched.Register(A, "s1", default));
        Assert.False(watched.Register(A, "s1", default));
        var silos = watched.Silos(A);
        Assert.Equal(["s1", "s2"], silos);
        Assert.Same(silos, watched.Silos(A));
        watched.Unregister(A, "s1");
        Assert.Equal(["s1", "s2"], silos);
        Assert.Equal(["s2"], watched.Silos(A));
        Assert.Empty(watched.Silos(B));
    }

    [Fact]
    public void A_silo_that_is_forgotten_takes_only_its_own_with_it()
    {
        var watched = new WatchedScopes();
        watched.Register(A, "s1", default);
        watched.Register(B, "s1", default);
        watched.Register(B, "s2", default);
        Assert.Equal(2, watched.ForgetSilo("s1"));
        Assert.Equal(0, watched.ForgetSilo("s1"));
        Assert.False(watched.IsWatched(A));
        Assert.Equal(["s2"], watched.Silos(B));
        Assert.Equal([B], watched.ScopesOf("s2"));
        Assert.True(watched.Unregister(B, "s2"));
        Assert.False(watched.Unregister(B, "s2"));
        Assert.False(watched.Any);
    }

    [Fact]
    public void Any_sequence_of_registrations_agrees_with_a_plain_set_of_pairs()
    {
        for (var seed = 0; seed < 50; seed++)
        {
            var random = new Random(seed);
            var watched = new WatchedScopes();
            var pairs = new HashSet<(Scope, string)>();
            for (var i = 0; i < 200; i++)
            {
                var scope = random.Next(2) == 0 ? Scope.OfKey(Key.Of($"/{random.Next(4)}")) : Scope.OfPrefix(Key.Of($"/{random.Next(4)}/"));
                var silo = $"s{random.Next(3)}";
                var agrees = random.Next(10) switch
                {
                    < 5 => watched.Register(scope, silo, default) == pairs.Add((scope, silo)),
                    < 9 => watched.Unregister(scope, silo) == pairs.Remove((scope, silo)),
                    _ => watched.ForgetSilo(silo) == pairs.RemoveWhere(pair => pair.Item2 == silo),
                };
                var expected = pairs.Where(pair => pair.Item1 == scope).Select(pair => pair.Item2).Order(StringComparer.Ordinal);
                Assert.True(agrees && watched.Silos(scope).SequenceEqual(expected) && watched.IsWatched(scope.Kind, scope.Text.Span) == expected.Any()
                    && watched.Any == (pairs.Count > 0) && watched.AnyPrefix == pairs.Any(pair => pair.Item1.Kind == ScopeKind.Prefix), $"seed {seed}, step {i}: {scope} at {silo} differs");
            }
        }
    }

    [Fact]
    public void Asking_whether_a_scope_is_watched_allocates_nothing()
    {
        var watched = new WatchedScopes();
        for (var i = 0; i < 1000; i++)
            watched.Register(Scope.OfPrefix(Key.Of($"/{i}/")), "s1", default);
        var key = Key.Of("/7/some/key");
        var found = Ask(1);
        var before = GC.GetAllocatedBytesForCurrentThread();
        found += Ask(1000);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal(1001, found);

        int Ask(int times)
        {
            var count = 0;
            for (var i = 0; i < times; i++)
                count += (watched.IsWatched(ScopeKind.Prefix, key.Span[..3]) ? 1 : 0) + (watched.IsWatched(ScopeKind.Key, key.Span) ? 1 : 0);
            return count;
        }
    }
}
