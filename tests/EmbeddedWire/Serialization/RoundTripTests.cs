using System.Buffers;
using System.Collections.Immutable;
using System.Net;
using Orleans.Runtime;
using Orleans.Serialization;
using Watch.Embedded.Serialization;
using Xunit;

namespace Watch.EmbeddedWire.Tests.Serialization;

/// <summary>What goes through the serializer comes out equal, whatever its type was declared as.</summary>
public sealed class RoundTripTests
{
    private static readonly EmbeddedSerializer s_serializer = new();

    public static TheoryData<object> SimpleValues() =>
    [
        true, (byte)255, (sbyte)-128, 'ü', short.MinValue, ushort.MaxValue, int.MinValue, -1, uint.MaxValue,
        long.MinValue, long.MaxValue, ulong.MaxValue, Int128.MinValue, UInt128.MaxValue, 1.5f, double.NaN, -79228162514264337593543950335m,
        1.10m, "", "grün", Guid.Parse("00112233-4455-6677-8899-aabbccddeeff"), new DateTime(2026, 2, 3, 4, 5, 6, DateTimeKind.Utc),
        DateTimeOffset.MaxValue, new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.FromHours(-3)), DateOnly.MaxValue, TimeOnly.MaxValue,
        TimeSpan.MinValue, new Uri("http://a/b?c"), new Uri("relative", UriKind.Relative), new Version(1, 2, 3), IPAddress.Loopback,
        new IPEndPoint(IPAddress.IPv6Loopback, 1), Colour.Green, GrainId.Create("kv", "a/b"), default(GrainId), typeof(List<Plain>),
        (1, "two"), Tuple.Create(1, "two", 3L), KeyValuePair.Create("k", 1), new Point(3, null), new Point(-3, 5),
        (1, 2, 3, 4, 5, 6, 7, 8, 9),
    ];

    [Theory]
    [MemberData(nameof(SimpleValues))]
    public void A_simple_value_survives(object value) => Assert.Equal(value, Trip(value));

    [Fact]
    public void Null_survives() => Assert.Null(Trip(null));

    [Fact]
    public void Members_are_set_whatever_their_visibility_and_others_are_not_sent()
    {
        var plain = new Plain(5, "text") { NotSent = "secret" };
        plain.Names.Add("second");
        var read = (Plain)Trip(plain)!;
        Assert.Equal((5, "text", null), (read.Number, read.Text, read.NotSent));
        Assert.Equal(["from the constructor", "second"], read.Names);
    }

    [Fact]
    public void A_record_sends_its_parameters_and_its_numbered_members_on_each_level()
    {
        var below = new Below("name", 3, Guid.Parse("00112233-4455-6677-8899-aabbccddeeff")) { Bytes = [1, 2], NotSent = 1 };
        var read = Assert.IsType<Below>(Trip<Positional>(below));
        Assert.Equal(("name", 3, below.Mark, 0d), (read.Name, read.Count, read.Mark, read.NotSent));
        Assert.Equal([1, 2], read.Bytes);
    }

    [Fact]
    public void Collections_keep_order_elements_and_comparers()
    {
        Assert.Equal(new List<object?> { 1, "a", null }, Trip(new List<object?> { 1, "a", null }));
        Assert.Equal(new[] { new[] { 1 }, [2, 3] }, (int[][])Trip(new[] { new[] { 1 }, [2, 3] })!);
        Assert.Equal([3, 1], (Queue<int>)Trip(new Queue<int>([3, 1]))!);
        Assert.Equal([1, 2], (ImmutableList<int>)Trip(ImmutableList.Create(1, 2))!);
        Assert.Equal([1], (ImmutableHashSet<int>)Trip(ImmutableHashSet.Create(1))!);
        Assert.Equal("x", ((ImmutableDictionary<int, string>)Trip(ImmutableDictionary<int, string>.Empty.Add(1, "x"))!)[1]);
        Assert.True(((ImmutableArray<int>)Trip(default(ImmutableArray<int>))!).IsDefault);
        Assert.Equal([1, 2], ((ReadOnlyMemory<byte>)Trip((ReadOnlyMemory<byte>)new byte[] { 1, 2 })!).ToArray());
        var map = (Dictionary<string, int>)Trip(new Dictionary<string, int>(StringComparer.OrdinalIgnoreCase) { ["A"] = 1 })!;
        Assert.Equal(1, map["a"]);
        Assert.Contains("B", (HashSet<string>)Trip(new HashSet<string>(StringComparer.OrdinalIgnoreCase) { "b" })!);
    }

    [Fact]
    public void Cycles_and_shared_objects_are_rebuilt()
    {
        var node = new Node { Any = new List<object>() };
        node.Next = new Node { Next = node };
        node.Many = [node, node.Next, node.Next];
        ((List<object>)node.Any).Add(node.Any);
        var read = (Node)Trip(node)!;
        Assert.Same(read, read.Next!.Next);
        Assert.Same(read, read.Many![0]);
        Assert.Same(read.Many[1], read.Many[2]);
        Assert.Same(read.Any, ((List<object>)read.Any!)[0]);
    }

    [Fact]
    public void Many_objects_keep_their_identities()
    {
        var nodes = Enumerable.Range(0, 100).Select(_ => new Node()).ToArray();
        var read = (Node[])Trip(nodes.Concat(nodes).ToArray())!;
        Assert.All(Enumerable.Range(0, 100), i => Assert.Same(read[i], read[i + 100]));
        Assert.Equal(100, read.Distinct().Count());
    }

    [Fact]
    public void Foreign_types_travel_by_their_converters()
    {
        Assert.Equal("s", ((Foreign)Trip(new Foreign("s"))!).Secret);
        Assert.Equal("s", Trip<Foreign?>(new Foreign("s"))!.Secret);
        Assert.Equal(["a"], ((Wrapped<List<string>>)Trip(new Wrapped<List<string>>(["a"]))!).Value);
    }

    [Fact]
    public void An_exception_keeps_what_its_type_allows()
    {
        var known = Assert.IsType<KnownException>(Trip(Thrown(new KnownException("lost", new TimeoutException("late"), 7))));
        Assert.Equal(("lost", 7L), (known.Message, known.Revision));
        Assert.Equal("late", Assert.IsType<TimeoutException>(known.InnerException).Message);
        Assert.Contains(nameof(Thrown), known.StackTrace, StringComparison.Ordinal);
        Assert.IsType<OperationCanceledException>(Trip(new OperationCanceledException("stop")));
        Assert.Equal("bad (Parameter 'p')", Assert.IsType<ArgumentException>(Trip(new ArgumentException("bad", "p"))).Message);
        var many = new AggregateException("all", new TimeoutException("1"), new InvalidOperationException("2"));
        Assert.Equal(many.Message, Assert.IsType<AggregateException>(Trip(many)).Message);
        var local = Assert.IsType<UnavailableExceptionFallbackException>(Trip(Thrown(new LocalException("here"))));
        Assert.Equal(("here", typeof(LocalException).FullName), (local.Message, local.ExceptionType));
        Assert.Equal(local.ExceptionType, ((UnavailableExceptionFallbackException)Trip(local)!).ExceptionType);
    }

    [Fact]
    public void Arguments_are_written_by_their_declared_types()
    {
        Type[] declared = [typeof(string), typeof(int), typeof(CancellationToken), typeof(Positional), typeof(int?)];
        var output = new ArrayBufferWriter<byte>();
        s_serializer.WriteAll(output, declared, ["k", 5, null, new Positional("p", 1), null]);
        Assert.Equal(["k", 5, null, new Positional("p", 1), null], s_serializer.ReadAll(output.WrittenSpan, declared));
    }

    [Fact]
    public void What_was_not_offered_is_refused_by_name()
    {
        var e = Assert.Throws<CodecNotFoundException>(() => Trip(new Unmarked()));
        Assert.Contains(typeof(Unmarked).FullName!, e.Message, StringComparison.Ordinal);
        Assert.Throws<CodecNotFoundException>(() => s_serializer.Copy(new Unmarked()));
        Assert.Throws<CodecNotFoundException>(() => Trip(new int[2, 2]));
    }

    [Fact]
    public void Depth_and_length_are_limited_in_both_directions()
    {
        var chain = new Node();
        for (var i = 0; i < 300; i++)
            chain = new Node { Next = chain };
        Assert.Contains("256", Assert.Throws<SerializerException>(() => Trip(chain)).Message, StringComparison.Ordinal);
        Assert.Contains("256", Assert.Throws<SerializerException>(() => s_serializer.Copy(chain)).Message, StringComparison.Ordinal);
        var small = new EmbeddedSerializer(new SerializerLimits { MessageBytesMax = 100 });
        Assert.Throws<SerializerException>(() => small.Write(new ArrayBufferWriter<byte>(), new byte[101]));
        Assert.Throws<MalformedMessageException>(() => small.Read(new byte[101]));
    }

    [Fact]
    public void References_travel_as_text()
    {
        var serializer = new EmbeddedSerializer { References = new TextReferences() };
        var reference = new TextReferences.Ref("grain/1");
        var output = new ArrayBufferWriter<byte>();
        serializer.Write(output, new List<object> { reference });
        Assert.Equal(reference, ((List<object>)serializer.Read(output.WrittenSpan)!)[0]);
        Assert.Same(reference, ((List<object>)serializer.Copy(new List<object> { reference })!)[0]);
    }

    private static object? Trip(object? value) => Trip<object?>(value);

    private static T Trip<T>(T value)
    {
        var output = new ArrayBufferWriter<byte>();
        s_serializer.WriteAs(output, value);
        return s_serializer.ReadAs<T>(output.WrittenSpan);
    }

    private static Exception Thrown(Exception e)
    {
        try
        {
            throw e;
        }
        catch (Exception caught)
        {
            return caught;
        }
    }

    private sealed class TextReferences : IReferenceCodec
    {
        public sealed record Ref(string Text);

        public bool TryWrite(object reference, out string text)
        {
            text = (reference as Ref)?.Text ?? "";
            return reference is Ref;
        }

        public object Resolve(string text, Type type) => new Ref(text);
    }
}
