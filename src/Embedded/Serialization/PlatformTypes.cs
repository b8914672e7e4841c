using System.Collections.Immutable;
using System.Net;
using System.Runtime.InteropServices;
using Orleans.Runtime;

namespace Watch.Embedded.Serialization;

/// <summary>The platform's types that messages may name: a closed list, with short names.</summary>
internal static class PlatformTypes
{
    public static IReadOnlyDictionary<string, Type> All { get; } = new Dictionary<string, Type>(StringComparer.Ordinal)
    {
        ["object"] = typeof(object),
        ["bool"] = typeof(bool),
        ["byte"] = typeof(byte),
        ["sbyte"] = typeof(sbyte),
        ["char"] = typeof(char),
        ["short"] = typeof(short),
        ["ushort"] = typeof(ushort),
        ["int"] = typeof(int),
        ["uint"] = typeof(uint),
        ["long"] = typeof(long),
        ["ulong"] = typeof(ulong),
        ["int128"] = typeof(Int128),
        ["uint128"] = typeof(UInt128),
        ["float"] = typeof(float),
        ["double"] = typeof(double),
        ["decimal"] = typeof(decimal),
        ["string"] = typeof(string),
        ["guid"] = typeof(Guid),
        ["datetime"] = typeof(DateTime),
        ["datetimeoffset"] = typeof(DateTimeOffset),
        ["dateonly"] = typeof(DateOnly),
        ["timeonly"] = typeof(TimeOnly),
        ["timespan"] = typeof(TimeSpan),
        ["uri"] = typeof(Uri),
        ["version"] = typeof(Version),
        ["type"] = typeof(Type),
        ["ipaddress"] = typeof(IPAddress),
        ["ipendpoint"] = typeof(IPEndPoint),
        ["exception"] = typeof(Exception),
        ["memory"] = typeof(Memory<>),
        ["readonlymemory"] = typeof(ReadOnlyMemory<>),
        ["nullable"] = typeof(Nullable<>),
        ["pair"] = typeof(KeyValuePair<,>),
        ["list"] = typeof(List<>),
        ["queue"] = typeof(Queue<>),
        ["dictionary"] = typeof(Dictionary<,>),
        ["set"] = typeof(HashSet<>),
        ["immutablearray"] = typeof(ImmutableArray<>),
        ["immutablelist"] = typeof(ImmutableList<>),
        ["immutableset"] = typeof(ImmutableHashSet<>),
        ["immutabledictionary"] = typeof(ImmutableDictionary<,>),
        ["tuple1"] = typeof(Tuple<>),
        ["tuple2"] = typeof(Tuple<,>),
        ["tuple3"] = typeof(Tuple<,,>),
        ["tuple4"] = typeof(Tuple<,,,>),
        ["tuple5"] = typeof(Tuple<,,,,>),
        ["tuple6"] = typeof(Tuple<,,,,,>),
        ["tuple7"] = typeof(Tuple<,,,,,,>),
        ["tuple8"] = typeof(Tuple<,,,,,,,>),
        ["valuetuple0"] = typeof(ValueTuple),
        ["valuetuple1"] = typeof(ValueTuple<>),
        ["valuetuple2"] = typeof(ValueTuple<,>),
        ["valuetuple3"] = typeof(ValueTuple<,,>),
        ["valuetuple4"] = typeof(ValueTuple<,,,>),
        ["valuetuple5"] = typeof(ValueTuple<,,,,>),
        ["valuetuple6"] = typeof(ValueTuple<,,,,,>),
        ["valuetuple7"] = typeof(ValueTuple<,,,,,,>),
        ["valuetuple8"] = typeof(ValueTuple<,,,,,,,>),
    };

    /// <summary>The codecs of collections, by the generic type they are for.</summary>
    public static IReadOnlyDictionary<Type, Type> GenericCodecs { get; } = new Dictionary<Type, Type>
    {
        [typeof(Nullable<>)] = typeof(NullableCodec<>),
        [typeof(KeyValuePair<,>)] = typeof(KeyValuePairCodec<,>),
        [typeof(List<>)] = typeof(ListCodec<>),
        [typeof(Queue<>)] = typeof(QueueCodec<>),
        [typeof(Dictionary<,>)] = typeof(DictionaryCodec<,>),
        [typeof(HashSet<>)] = typeof(HashSetCodec<>),
        [typeof(ImmutableArray<>)] = typeof(ImmutableArrayCodec<>),
        [typeof(ImmutableList<>)] = typeof(ImmutableListCodec<>),
        [typeof(ImmutableHashSet<>)] = typeof(ImmutableHashSetCodec<>),
        [typeof(ImmutableDictionary<,>)] = typeof(ImmutableDictionaryCodec<,>),
    };

    /// <summary>Types without inner structure.</summary>
    public static Dictionary<Type, Codec> CreateSimpleCodecs(TypeManifest manifest)
    {
        var codecs = new Dictionary<Type, Codec>();
        AddNumbers(codecs);
        AddTimes(codecs);
        AddNames(codecs, manifest);
        Add(codecs, WireType.Bytes, static (w, v) => w.WriteString(v), static (ref r) => r.ReadString()!);
        codecs.Add(typeof(byte[]), new ByteArrayCodec());
        codecs.Add(typeof(ReadOnlyMemory<byte>), new ReadOnlyMemoryCodec());
        codecs.Add(typeof(Memory<byte>), new MemoryCodec());
        return codecs;
    }

    private static void AddNumbers(Dictionary<Type, Codec> codecs)
    {
        Add(codecs, WireType.Varint, static (w, v) => w.WriteByte(v ? (byte)1 : (byte)0), static (ref r) => Checked(r.ReadVarint(), 1) == 1);
        Add(codecs, WireType.Varint, static (w, v) => w.WriteVarint(v), static (ref r) => (byte)Checked(r.ReadVarint(), byte.MaxValue));
        Add(codecs, WireType.Varint, static (w, v) => w.WriteVarint(v), static (ref r) => (ushort)Checked(r.ReadVarint(), ushort.MaxValue));
        Add(codecs, WireType.Varint, static (w, v) => w.WriteVarint(v), static (ref r) => (char)Checked(r.ReadVarint(), char.MaxValue));
        Add(codecs, WireType.Varint, static (w, v) => w.WriteVarint(v), static (ref r) => (uint)Checked(r.ReadVarint(), uint.MaxValue));
        Add(codecs, WireType.Varint, static (w, v) => w.WriteVarint(v), static (ref r) => r.ReadVarint());
        Add(codecs, WireType.Varint, static (w, v) => w.WriteSigned(v), static (ref r) => checked((sbyte)r.ReadSigned()));
        Add(codecs, WireType.Varint, static (w, v) => w.WriteSigned(v), static (ref r) => checked((short)r.ReadSigned()));
        Add(codecs, WireType.Varint, static (w, v) => w.WriteSigned(v), static (ref r) => checked((int)r.ReadSigned()));
        Add(codecs, WireType.Varint, static (w, v) => w.WriteSigned(v), static (ref r) => r.ReadSigned());
        Add(codecs, WireType.Fixed128, static (w, v) => w.WriteFixed128((UInt128)v), static (ref r) => (Int128)r.ReadFixed128());
        Add(codecs, WireType.Fixed128, static (w, v) => w.WriteFixed128(v), static (ref r) => r.ReadFixed128());
        Add(codecs, WireType.Fixed32, static (w, v) => w.WriteFixed32(BitConverter.SingleToUInt32Bits(v)), static (ref r) => BitConverter.UInt32BitsToSingle(r.ReadFixed32()));
        Add(codecs, WireType.Fixed64, static (w, v) => w.WriteFixed64(BitConverter.DoubleToUInt64Bits(v)), static (ref r) => BitConverter.UInt64BitsToDouble(r.ReadFixed64()));
        Add(codecs, WireType.Fixed128, static (WireWriter w, decimal v) => w.WriteFixed128(MemoryMarshal.Cast<int, UInt128>(decimal.GetBits(v))[0]), static (ref r) => ReadDecimal(r.ReadFixed128()));
    }

    private static void AddTimes(Dictionary<Type, Codec> codecs)
    {
        Add(codecs, WireType.Fixed64, static (w, v) => w.WriteFixed64((ulong)v.ToBinary()), static (ref r) => DateTime.FromBinary((long)r.ReadFixed64()));
        Add(codecs, WireType.Varint, static (w, v) => w.WriteSigned(v.Ticks), static (ref r) => new TimeSpan(r.ReadSigned()));
        Add(codecs, WireType.Varint, static (WireWriter w, DateOnly v) => w.WriteSigned(v.DayNumber), static (ref r) => DateOnly.FromDayNumber(checked((int)r.ReadSigned())));
        Add(codecs, WireType.Varint, static (WireWriter w, TimeOnly v) => w.WriteSigned(v.Ticks), static (ref r) => new TimeOnly(r.ReadSigned()));
        Add(codecs, WireType.Fixed128, static (w, v) => w.WriteFixed128(new UInt128((ulong)v.Ticks, (ulong)v.Offset.Ticks)), static (ref r) => ReadDateTimeOffset(r.ReadFixed128()));
        Add(codecs, WireType.Fixed128, static (w, v) => w.WriteFixed128(ToUInt128(v)), static (ref r) => ToGuid(r.ReadFixed128()));
    }

    private static void AddNames(Dictionary<Type, Codec> codecs, TypeManifest manifest)
    {
        Add(codecs, WireType.Bytes, static (WireWriter w, Uri v) => w.WriteString(v.OriginalString), static (ref r) => new Uri(Text(ref r), UriKind.RelativeOrAbsolute));
        Add(codecs, WireType.Bytes, static (WireWriter w, Version v) => w.WriteString(v.ToString()), static (ref r) => Version.Parse(Text(ref r)));
        Add(codecs, WireType.Bytes, static (WireWriter w, IPAddress v) => w.WriteString(v.ToString()), static (ref r) => IPAddress.Parse(Text(ref r)));
        Add(codecs, WireType.Bytes, static (WireWriter w, IPEndPoint v) => w.WriteString(v.ToString()), static (ref r) => IPEndPoint.Parse(Text(ref r)));
        Add<Type>(codecs, WireType.Bytes, (w, v) => w.WriteString(manifest.NameOf(v)), (ref r) => manifest.Resolve(r.ReadBytes()));
        Add(codecs, WireType.Bytes, static (w, v) => w.WriteString(v.ToString()), static (ref r) => IdSpan.Create(Text(ref r)));
        Add(codecs, WireType.Bytes, static (w, v) => w.WriteString(v.ToString()), static (ref r) => GrainType.Create(Text(ref r)));
        Add(codecs, WireType.Bytes, static (WireWriter w, GrainId v) => w.WriteString(v.IsDefault ? "" : v.ToString()), static (ref r) => ReadGrainId(Text(ref r)));
        Add(codecs, WireType.Bytes, static (WireWriter w, SiloAddress v) => w.WriteString(v.ToParsableString()), static (ref r) => SiloAddress.FromParsableString(Text(ref r)));
        Add(codecs, WireType.Sized, static (w, v) => WriteStreamId(w, v), static (ref r) => StreamId.Create(r.ReadString(), Text(ref r)));
        Add(codecs, WireType.Fixed128, static (w, v) => w.WriteFixed128(ToUInt128(v.Guid)), static (ref r) => GuidId.GetGuidId(ToGuid(r.ReadFixed128())));
        Add(codecs, WireType.Fixed128, static (w, v) => w.WriteFixed128(ToUInt128(v.Key)), static (ref r) => new ActivationId(ToGuid(r.ReadFixed128())));
    }

    private static void Add<T>(Dictionary<Type, Codec> codecs, WireType wireType, Action<WireWriter, T> write, ReadValue<T> read) =>
        codecs.Add(typeof(T), new SimpleCodec<T>(wireType, write, read));

    private static ulong Checked(ulong value, ulong max) =>
        value <= max ? value : throw WireReader.Malformed($"the number {value} exceeds {max}");

    private static string Text(ref WireReader reader) =>
        reader.ReadString() ?? throw WireReader.Malformed("a text is missing where it must not be");

    private static void WriteStreamId(WireWriter writer, StreamId id)
    {
        writer.WriteString(id.GetNamespace());
        writer.WriteString(id.GetKeyAsString());
    }

    private static decimal ReadDecimal(UInt128 bits) => new(MemoryMarshal.Cast<UInt128, int>([bits]));

    private static DateTimeOffset ReadDateTimeOffset(UInt128 bits) =>
        new((long)(ulong)(bits >> 64), new TimeSpan((long)(ulong)bits));

    private static GrainId ReadGrainId(string text) => text.Length == 0 ? default : GrainId.Parse(text);

    private static UInt128 ToUInt128(Guid value)
    {
        Span<byte> bytes = stackalloc byte[16];
        value.TryWriteBytes(bytes);
        return System.Buffers.Binary.BinaryPrimitives.ReadUInt128LittleEndian(bytes);
    }

    private static Guid ToGuid(UInt128 value)
    {
        Span<byte> bytes = stackalloc byte[16];
        System.Buffers.Binary.BinaryPrimitives.WriteUInt128LittleEndian(bytes, value);
        return new Guid(bytes);
    }
}
