namespace Watch.Core.Storage;

/// <summary>
/// What each segment of the log holds of which group: by it is known which segments nothing needs any more, and what has to be written again
/// before one goes (docs/disk-format.md, "Retiring segments").
/// </summary>
public sealed class LogUse
{
    private readonly SortedDictionary<long, Segment> _segments = [];
    private readonly Dictionary<GroupId, long> _hardStates = [];
    private readonly Dictionary<GroupId, (long Segment, LogIndex Index)> _bases = [];

    /// <summary>The segments, oldest first.</summary>
    public IReadOnlyDictionary<long, Segment> Segments => _segments;

    /// <summary>The segment that holds a group's term and vote; 0 where none does.</summary>
    public long HardStateOf(GroupId group) => _hardStates.GetValueOrDefault(group);

    /// <summary>The segment that says last which snapshot stands for the beginning of a group's log, and up to which index; 0 where none does.</summary>
    public (long Segment, LogIndex Index) BaseOf(GroupId group) => _bases.GetValueOrDefault(group);

    /// <summary>Records were written to a segment.</summary>
    internal void Add(long number, Segment records)
    {
        if (!_segments.TryGetValue(number, out var segment))
            _segments.Add(number, segment = new Segment());
        foreach (var (group, last) in records.Last)
            segment.Entry(group, last);
        foreach (var group in records.States)
            _hardStates[group] = number;
        foreach (var (group, index) in records.Bases)
            _bases[group] = (number, index);
        segment.Touch(records);
    }

    /// <summary>A segment is gone.</summary>
    internal void Remove(long number) => _segments.Remove(number);

    /// <summary>What one segment, or one batch, holds.</summary>
    public sealed class Segment
    {
        private readonly SortedDictionary<GroupId, LogIndex> _last = [];
        private readonly SortedSet<GroupId> _states = [];
        private readonly SortedDictionary<GroupId, LogIndex> _bases = [];

        /// <summary>Of each group the highest index of an entry in it.</summary>
        public IReadOnlyDictionary<GroupId, LogIndex> Last => _last;

        /// <summary>The groups that have anything in it.</summary>
        public IEnumerable<GroupId> Groups => _last.Keys.Concat(_states).Concat(_bases.Keys).Distinct();

        internal IReadOnlySet<GroupId> States => _states;

        internal IReadOnlyDictionary<GroupId, LogIndex> Bases => _bases;

        internal void Entry(GroupId group, LogIndex index)
        {
            if (!_last.TryGetValue(group, out var last) || last < index)
                _last[group] = index;
        }

        internal void HardState(GroupId group) => _states.Add(group);

        internal void Base(GroupId group, LogIndex index) => _bases[group] = index;

        internal void Touch(Segment records)
        {
            _states.UnionWith(records._states);
            foreach (var (group, index) in records._bases)
                _bases[group] = index;
        }

        internal void Clear()
        {
            _last.Clear();
            _states.Clear();
            _bases.Clear();
        }
    }
}
