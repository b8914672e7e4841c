using System.Text.Json;
using System.Text.Unicode;
using Watch.Core;

namespace Watch.ClientApp.Output;

/// <summary>The fields of one object. Names are camelCase and never change their meaning.</summary>
internal readonly struct JsonLine(Utf8JsonWriter json)
{
    public JsonLine Text(string name, string value)
    {
        json.WriteString(name, value);
        return this;
    }

    public JsonLine Texts(string name, IEnumerable<string> values)
    {
        json.WriteStartArray(name);
        foreach (var each in values)
            json.WriteStringValue(each);
        json.WriteEndArray();
        return this;
    }

    /// <summary>A list of objects.</summary>
    public JsonLine Objects<T>(string name, IEnumerable<T> values, Action<JsonLine, T> fields)
    {
        json.WriteStartArray(name);
        foreach (var each in values)
        {
            json.WriteStartObject();
            fields(this, each);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        return this;
    }

    public JsonLine Number(string name, long value)
    {
        json.WriteNumber(name, value);
        return this;
    }

    /// <summary>A measured value, to three places.</summary>
    public JsonLine Measure(string name, double value)
    {
        json.WriteNumber(name, Math.Round(value, 3));
        return this;
    }

    public JsonLine Flag(string name, bool value)
    {
        json.WriteBoolean(name, value);
        return this;
    }

    public JsonLine Null(string name)
    {
        json.WriteNull(name);
        return this;
    }

    public JsonLine Revision(Revision revision) => Number("revision", revision.Value);

    /// <summary>Bytes: as text under the name where they are UTF-8, else as Base64 under the name with <c>Base64</c> behind it.</summary>
    public JsonLine Bytes(string name, ReadOnlySpan<byte> bytes)
    {
        if (Utf8.IsValid(bytes))
            json.WriteString(name, bytes);
        else
            json.WriteBase64String(name + "Base64", bytes);
        return this;
    }

    public JsonLine KeyValue(KeyValue entry) =>
        Bytes("key", entry.Key.Span)
            .Bytes("value", entry.Value.Span)
            .Number("createRevision", entry.CreateRevision.Value)
            .Number("modRevision", entry.ModRevision.Value)
            .Number("version", entry.Version);

    /// <summary>An event; <c>prevValue</c> is missing where nobody asked for it, and null where the key did not exist.</summary>
    public JsonLine Event(WatchEvent each)
    {
        Text("type", Words.Of(each.Type));
        if (!each.Key.IsEmpty)
            Bytes("key", each.Key.Span);
        if (each.Type == WatchEventType.Put)
            Bytes("value", each.Value.Span);
        if (each.PreviousState == PreviousState.Absent)
            Null("prevValue");
        if (each.PreviousState == PreviousState.Value)
            Bytes("prevValue", each.PreviousValue.Span);
        if (each.Cause is not (WatchEventCause.Put or WatchEventCause.Delete))
            Text("cause", Words.Of(each.Cause));
        if (each.Writer is { } writer)
            Text("writer", writer);
        if (each.Type is WatchEventType.Lagged or WatchEventType.Stale)
            Number(each.Type == WatchEventType.Lagged ? "count" : "silentMs", each.Count);
        if (each.Type == WatchEventType.Progress)
            Number("confirmedTimeMs", each.ConfirmedTimeMs);
        if (each.Type == WatchEventType.Canceled)
            Text("reason", Words.Of(each.Reason)).Text("message", each.Message ?? "");
        if (each.FirstAvailable > Core.Revision.None)
            Number("firstAvailable", each.FirstAvailable.Value);
        return Revision(each.Revision);
    }
}
