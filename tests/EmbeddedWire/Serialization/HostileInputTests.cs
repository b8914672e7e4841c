using System.Buffers;
using System.Text;
using Orleans.Serialization;
using Watch.Embedded.Serialization;
using Xunit;

namespace Watch.EmbeddedWire.Tests.Serialization;

/// <summary>Versions meet, and bytes lie: neither may do more than fail with a typed error.</summary>
public sealed class HostileInputTests
{
    private static readonly EmbeddedSerializer s_serializer = new();

    [Fact]
    public void Members_unknown_to_the_reader_are_stepped_over()
    {
        var later = new Later { First = [new Node()], Kept = "k", Price = 1, Ratio = 2, Small = 3, Number = 4, Point = new(1, 2), New = "n" };
        var earlier = s_serializer.ReadAs<Earlier>(Write(later));
        Assert.Equal("k", earlier.Kept);
    }

    [Fact]
    public void Members_unknown_to_the_writer_keep_their_defaults()
    {
        var later = s_serializer.ReadAs<Later>(Write(new Earlier { Kept = "k", Last = "l" }));
        Assert.Equal(("k", "l", "default", 0m), (later.Kept, later.Last, later.New, later.Price));
    }

    [Fact]
    public void An_object_first_met_in_a_skipped_member_is_still_found()
    {
        var node = new Node { Any = "inside" };
        node.Next = new Node { Next = node };
        var earlier = s_serializer.ReadAs<Earlier>(Write(new Later { First = [node], Last = node.Next }));
        var next = Assert.IsType<Node>(earlier.Last);
        Assert.Equal("inside", next.Next!.Any);
        Assert.Same(next, next.Next.Next);
    }

    [Fact]
    public void Types_outside_the_manifest_are_refused_before_anything_is_made()
    {
        Assert.Throws<IllegalTypeException>(() => s_serializer.Read(Named("System.IO.FileInfo")));
        Assert.Throws<IllegalTypeException>(() => s_serializer.Read(Named("list<System.Diagnostics.Process>")));
        Assert.Throws<CodecNotFoundException>(() => s_serializer.Read(Named(typeof(Unmarked).FullName!)));
        Assert.Throws<MalformedMessageException>(() => s_serializer.Read(Named("list<list")));
        Assert.Throws<MalformedMessageException>(() => s_serializer.Read(Named("nullable<string>")));
        Assert.Throws<MalformedMessageException>(() => s_serializer.Read(Named(string.Concat(Enumerable.Repeat("list<", 50)) + "int")));
    }

    [Fact]
    public void A_huge_count_does_not_allocate()
    {
        byte[] message = [.. Named("long[]"), 0xff, 0xff, 0xff, 0xff, 0x07];
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<MalformedMessageException>(() => s_serializer.Read(message));
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 1_000_000);
    }

    [Fact]
    public void A_value_of_another_type_than_declared_is_refused()
    {
        var output = new ArrayBufferWriter<byte>();
        s_serializer.Write(output, new Frozen([]));
        Assert.Throws<MalformedMessageException>(() => s_serializer.ReadAs<Plain>(output.WrittenSpan));
    }

    [Fact]
    public void Every_truncation_of_a_message_is_refused()
    {
        var message = Write<object>(Sample());
        for (var length = 0; length < message.Length; length++)
            Assert.ThrowsAny<SerializerException>(() => s_serializer.Read(message.AsSpan(0, length)));
        Assert.Throws<MalformedMessageException>(() => s_serializer.Read([.. message, 0]));
    }

    [Fact]
    public void Random_and_damaged_bytes_never_do_more_than_throw_a_typed_error()
    {
        var seed = Environment.TickCount;
        var random = new Random(seed);
        var good = Write<object>(Sample());
        for (var i = 0; i < 20_000; i++)
        {
            var bytes = i % 2 == 0 ? (byte[])good.Clone() : new byte[random.Next(64)];
            if (i % 2 == 0)
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            else
                random.NextBytes(bytes);
            try
            {
                s_serializer.Read(bytes);
            }
            catch (SerializerException)
            {
                continue;
            }
            catch (Exception e)
            {
                Assert.Fail($"seed {seed}, round {i}: {e}\n{Convert.ToHexString(bytes)}");
            }
        }
    }

    [Fact]
    public void Random_graphs_come_back_equal_and_copy_equal()
    {
        var seed = Environment.TickCount;
        var random = new Random(seed);
        for (var i = 0; i < 500; i++)
        {
            var graph = RandomGraph.Create(random, 4);
            var text = RandomGraph.Print(graph);
            var bytes = Write(graph);
            Assert.True(text == RandomGraph.Print(s_serializer.ReadAs<object?>(bytes)), $"seed {seed}, round {i}: read differs from {text}");
            Assert.True(text == RandomGraph.Print(s_serializer.Copy(graph)), $"seed {seed}, round {i}: copy differs from {text}");
        }
    }

    private static object Sample() => new Later
    {
        First = [new Node { Any = new Dictionary<string, object> { ["a"] = new Below("x", 1, Guid.Empty) { Bytes = [1, 2, 3] } } }],
        Kept = "kept",
        Price = 12.5m,
        Point = new(1, 2),
        Last = new List<object> { new KnownException("m", new TimeoutException(), 5), (1, "x"), Colour.Green },
    };

    private static byte[] Write<T>(T value)
    {
        var output = new ArrayBufferWriter<byte>();
        s_serializer.WriteAs(output, value);
        return output.WrittenSpan.ToArray();
    }

    /// <summary>An object slot whose value claims to be of a type.</summary>
    private static byte[] Named(string type)
    {
        var name = Encoding.UTF8.GetBytes(type);
        return name.Length < 127
            ? [2, 0, (byte)(name.Length + 1), .. name]
            : [2, 0, (byte)((name.Length + 1) | 0x80), (byte)((name.Length + 1) >> 7), .. name];
    }
}
