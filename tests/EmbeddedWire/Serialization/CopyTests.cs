using System.Collections.Immutable;
using Watch.Embedded.Serialization;
using Xunit;

namespace Watch.EmbeddedWire.Tests.Serialization;

/// <summary>A copy shares what nobody can change, and nothing else.</summary>
public sealed class CopyTests
{
    private static readonly EmbeddedSerializer s_serializer = new();

    [Fact]
    public void Immutable_values_are_shared()
    {
        object[] shared = ["text", 5, new Frozen([1]), new Uri("http://a"), typeof(int), ImmutableArray.Create(1), Guid.Empty,
            new KnownException("e", null, 1), ImmutableList.Create("a"), Colour.Red];
        Assert.All(shared, value => Assert.Same(value, s_serializer.Copy(value)));
    }

    [Fact]
    public void Mutable_values_are_copied_member_by_member()
    {
        var bytes = new byte[] { 1 };
        var original = new Positional("n", 1) { Bytes = bytes };
        var copy = Copy(original);
        Assert.NotSame(original, copy);
        Assert.NotSame(bytes, copy.Bytes);
        Assert.Equal(bytes, copy.Bytes);
        Assert.Equal(typeof(Below), Copy<object>(new Below("n", 1, default)).GetType());
    }

    [Fact]
    public void Members_without_an_id_are_not_copied() =>
        Assert.Null(Copy(new Plain(1, "x") { NotSent = "secret" }).NotSent);

    [Fact]
    public void A_member_marked_immutable_is_shared()
    {
        var node = new Node { Shared = [1], Any = new byte[] { 1 } };
        var copy = Copy(node);
        Assert.Same(node.Shared, copy.Shared);
        Assert.NotSame(node.Any, copy.Any);
    }

    [Fact]
    public void Collections_are_copied_with_their_elements_unless_those_are_immutable()
    {
        var frozen = new Frozen([1]);
        var list = new List<object> { frozen, new byte[] { 1 } };
        var copy = Copy(list);
        Assert.Same(frozen, copy[0]);
        Assert.NotSame(list[1], copy[1]);
        var map = new Dictionary<string, List<int>>(StringComparer.OrdinalIgnoreCase) { ["A"] = [1] };
        var mapCopy = Copy(map);
        Assert.NotSame(map["A"], mapCopy["a"]);
        var array = ImmutableArray.Create<byte[]>([[1]]);
        Assert.NotSame(array[0], Copy(array)[0]);
        var memory = (ReadOnlyMemory<byte>)new byte[] { 1 };
        Assert.False(memory.Equals(Copy(memory)));
        var tuple = (new List<int> { 1 }, "x");
        Assert.NotSame(tuple.Item1, Copy(tuple).Item1);
    }

    [Fact]
    public void A_struct_that_refers_to_mutable_things_is_copied()
    {
        var holder = new Holder([1], [new Holder([2], [])]);
        var copy = Copy(holder);
        Assert.NotSame(holder.Items, copy.Items);
        Assert.NotSame(holder.Below[0].Items, copy.Below[0].Items);
        Assert.Equal([2], copy.Below[0].Items);
    }

    [Fact]
    public void Cycles_and_shared_objects_stay_so()
    {
        var node = new Node { Any = new byte[] { 1 } };
        node.Next = node;
        node.Many = [node, new Node { Any = node.Any }];
        var copy = Copy(node);
        Assert.NotSame(node, copy);
        Assert.Same(copy, copy.Next);
        Assert.Same(copy, copy.Many![0]);
        Assert.Same(copy.Any, copy.Many[1].Any);
    }

    private static T Copy<T>(T value) => (T)s_serializer.Copy(value)!;
}
