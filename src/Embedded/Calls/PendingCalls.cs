// The calls of one node that wait for an answer. Calls with equal timeouts fall due in the order in
// which they were made, so each timeout has a list of its own and one timer, set for its first call;
// an answered call is unlinked at once. So a call costs no timer of its own.
using Orleans.Runtime;
using Watch.Embedded.Runtime;

namespace Watch.Embedded.Calls;

internal sealed class PendingCalls(IEmbeddedEnvironment environment)
{
    private readonly Lock _gate = new();
    private TimeoutList[] _lists = [];

    public void Add(Call call)
    {
        foreach (var list in Volatile.Read(ref _lists))
        {
            if (list.Timeout == call.Timeout)
            {
                list.Add(call);
                return;
            }
        }

        ListFor(call.Timeout).Add(call);
    }

    /// <summary>Ends the calls that went to a silo which is no longer there.</summary>
    public void FailThoseAt(SiloNode silo)
    {
        foreach (var list in Volatile.Read(ref _lists))
        {
            foreach (var call in list.Snapshot())
            {
                if (ReferenceEquals(call.At, silo))
                    call.Complete(null, new SiloUnavailableException($"Silo {silo.Address} stopped while '{call}' was under way."));
            }
        }
    }

    public void FailAll(Func<Call, Exception> reason)
    {
        foreach (var list in Volatile.Read(ref _lists))
        {
            foreach (var call in list.Snapshot())
                call.Complete(null, reason(call));
        }
    }

    private TimeoutList ListFor(TimeSpan timeout)
    {
        lock (_gate)
        {
            var list = Array.Find(_lists, l => l.Timeout == timeout);
            if (list is null)
            {
                list = new TimeoutList(timeout, environment.TimeProvider);
                Volatile.Write(ref _lists, [.. _lists, list]);
            }

            return list;
        }
    }
}

internal sealed class TimeoutList
{
    private readonly Lock _gate = new();
    private readonly TimeProvider _time;
    private readonly ITimer _timer;
    private readonly long _timeoutTicks;
    private Call? _first;
    private Call? _last;
    private bool _armed;

    public TimeoutList(TimeSpan timeout, TimeProvider time)
    {
        Timeout = timeout;
        _time = time;
        _timeoutTicks = (long)(timeout.TotalSeconds * time.TimestampFrequency);
        using (ExecutionContext.SuppressFlow())
            _timer = time.CreateTimer(static list => ((TimeoutList)list!).Expire(), this, System.Threading.Timeout.InfiniteTimeSpan, System.Threading.Timeout.InfiniteTimeSpan);
    }

    public TimeSpan Timeout { get; }

    public void Add(Call call)
    {
        var due = _time.GetTimestamp() + _timeoutTicks;
        var arm = false;
        lock (_gate)
        {
            call.PendingIn = this;
            call.DueTimestamp = due;
            call.Previous = _last;
            if (_last is null)
                _first = call;
            else
                _last.Next = call;
            _last = call;
            if (!_armed)
                _armed = arm = true;
        }

        if (arm)
            _timer.Change(Timeout, System.Threading.Timeout.InfiniteTimeSpan);
    }

    public void Remove(Call call)
    {
        lock (_gate)
        {
            if (call.PendingIn is null)
                return;
            call.PendingIn = null;
            if (call.Previous is null)
                _first = call.Next;
            else
                call.Previous.Next = call.Next;
            if (call.Next is null)
                _last = call.Previous;
            else
                call.Next.Previous = call.Previous;
            call.Previous = call.Next = null;
        }
    }

    public List<Call> Snapshot()
    {
        lock (_gate)
        {
            var calls = new List<Call>();
            for (var call = _first; call is not null; call = call.Next)
                calls.Add(call);
            return calls;
        }
    }

    private void Expire()
    {
        var now = _time.GetTimestamp();
        var expired = new List<Call>();
        var wait = System.Threading.Timeout.InfiniteTimeSpan;
        lock (_gate)
        {
            var call = _first;
            for (; call is not null && call.DueTimestamp <= now; call = call.Next)
                expired.Add(call);
            _armed = call is not null;
            if (call is not null)
                wait = _time.GetElapsedTime(now, call.DueTimestamp) + TimeSpan.FromMilliseconds(1);
        }

        foreach (var call in expired)
            call.Complete(null, new TimeoutException($"Response did not arrive on time in {Timeout} for '{call}'."));
        if (wait != System.Threading.Timeout.InfiniteTimeSpan)
            _timer.Change(wait, System.Threading.Timeout.InfiniteTimeSpan);
    }
}
