using System.Collections.Immutable;
using Watch.Core;

namespace Watch.Client;

/// <summary>What two views of a dictionary differ in.</summary>
internal static class DictionaryDifference
{
    /// <summary>The changes from one to the other, by key.</summary>
    public static IEnumerable<DictionaryChange> Between(ImmutableSortedDictionary<Key, KeyValue> before, DictionaryView after)
    {
        using var old = before.GetEnumerator();
        using var @new = after.Items.GetEnumerator();
        var (hasOld, hasNew) = (old.MoveNext(), @new.MoveNext());
        while (hasOld || hasNew)
        {
            var order = !hasOld ? 1 : !hasNew ? -1 : old.Current.Key.CompareTo(@new.Current.Key);
            if (order < 0)
                yield return new DictionaryChange(old.Current.Key, old.Current.Value, null, after.Revision);
            else if (order > 0)
                yield return new DictionaryChange(@new.Current.Key, null, @new.Current.Value, after.Revision);
            else if (old.Current.Value.ModRevision != @new.Current.Value.ModRevision)
                yield return new DictionaryChange(old.Current.Key, old.Current.Value, @new.Current.Value, after.Revision);
            if (order <= 0)
                hasOld = old.MoveNext();
            if (order >= 0)
                hasNew = @new.MoveNext();
        }
    }
}
