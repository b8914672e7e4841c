// One call under way: what was asked of whom, and the promise that its caller waits for.
//
//   caller's node                               callee's silo
//   Node.Send: copy arguments, make the promise ──► SiloNode.Route ──► Activation.TryReceive
//   Complete ◄── result or exception, copied ◄───── Run, when the activation's rules allow it
//
// A call ends once: by its answer, its timeout, its caller's cancellation, or the death of the silo
// it went to; whatever comes later is dropped. A call that ended before it began is never begun.
using Orleans.Runtime;
using Watch.Embedded.Activations;
using Watch.Embedded.Runtime;

namespace Watch.Embedded.Calls;

internal abstract class Call(Node origin, GrainReference to, MethodDescriptor method, object?[] arguments)
    : Turn, INodeMessage
{
    private Activation? _runningAt;
    private CancellationTokenSource? _calleeSource;
    private CancellationTokenRegistration _registration;
    private int _ended;

    public Node Origin { get; } = origin;

    public GrainReference To { get; } = to;

    public MethodDescriptor Method { get; } = method;

    public object?[] Arguments { get; } = arguments;

    public IReadOnlyDictionary<string, object>? Context { get; init; }

    public TimeSpan Timeout { get; init; }

    /// <summary>The silo that has the call now; when that silo dies, the call fails.</summary>
    public SiloNode? At { get; set; }

    // The links of PendingCalls.
    internal Call? Previous { get; set; }

    internal Call? Next { get; set; }

    internal TimeoutList? PendingIn { get; set; }

    internal long DueTimestamp { get; set; }

    public override bool AlwaysInterleave => Method.AlwaysInterleave;

    public override bool ReadOnly => Method.ReadOnly;

    public override bool CountsAsUse => true;

    public Call About => this;

    public bool HasEnded => Volatile.Read(ref _ended) != 0;

    public CancellationToken CallerToken =>
        Method.TokenIndex >= 0 && Arguments[Method.TokenIndex] is CancellationToken token ? token : default;

    /// <summary>Listens to the caller's token, if the method has one.</summary>
    public void ObserveCancellation()
    {
        var token = CallerToken;
        if (token.CanBeCanceled)
            _registration = token.UnsafeRegister(static (call, token) => ((Call)call!).CancelByCaller(token), this);
    }

    public void Complete(object? result, Exception? exception)
    {
        if (Interlocked.Exchange(ref _ended, 1) != 0)
            return;
        PendingIn?.Remove(this);
        _registration.Unregister();
        SetOutcome(result, exception);
    }

    /// <summary>The call reaches the silo that it was sent to.</summary>
    public void Arrive()
    {
        if (HasEnded && !Method.OneWay)
            return;
        if (At!.IsDead)
            Complete(null, new SiloUnavailableException($"Silo {At.Address} is gone: '{this}'."));
        else
            At.Receive(this);
    }

    public override void Run(Activation activation)
    {
        if (HasEnded && !Method.OneWay)
        {
            activation.TurnEnded(this);
            return;
        }

        ValueTask<object?> result;
        try
        {
            RequestContext.Import(Context);
            GiveCalleeItsToken(activation);
            result = Method.Invoke(activation.TargetOf(Method), Arguments);
        }
        catch (Exception e)
        {
            Finish(activation, null, e);
            return;
        }

        if (result.IsCompletedSuccessfully)
            Finish(activation, result.Result, null);
        else
            _ = FinishLater(activation, result);
    }

    public override void Reject(Exception reason) => Complete(null, reason);

    public override void Reroute(SiloNode node)
    {
        if (!HasEnded || Method.OneWay)
            node.Receive(this);
    }

    public override string ToString() => $"{Method} of {To.GrainId}";

    protected abstract void SetOutcome(object? result, Exception? exception);

    private async Task FinishLater(Activation activation, ValueTask<object?> running)
    {
        object? result = null;
        Exception? exception = null;
        try
        {
            result = await running;
        }
        catch (Exception e)
        {
            exception = e;    // it reaches the caller
        }

        Finish(activation, result, exception);
    }

    private void Finish(Activation activation, object? result, Exception? exception)
    {
        var node = activation.Node;
        if (exception is null && !Method.ResultNeedsNoCopy)
            (result, exception) = CopyResult(node, result);
        _runningAt = null;
        AnswerFrom(node, result, exception);
        activation.TurnEnded(this);
    }

    /// <summary>Sends the outcome back from the node on which it came about.</summary>
    public void AnswerFrom(Node node, object? result, Exception? exception)
    {
        if (Method.OneWay)
            node.NoteOneWayFailure(this, exception);
        else if (ReferenceEquals(Origin, node))
            Complete(result, exception);
        else if (!node.IsDead)
            node.Environment.Deliver(node.Name, Origin.Name, new Answer(this, result, exception));
    }

    private (object? Result, Exception? Exception) CopyResult(Node node, object? result)
    {
        try
        {
            if (result is GrainReference reference)
                return (Origin.CreateReference(reference.GrainId, reference.Descriptor), null);
            return (node.Copier.Copy(result), null);
        }
        catch (Exception e)
        {
            return (null, e);    // what cannot be copied cannot be returned: the caller learns why
        }
    }

    // The callee gets a token of its own: the caller's cancellation is a message like any other.
    private void GiveCalleeItsToken(Activation activation)
    {
        if (!CallerToken.CanBeCanceled)
        {
            if (Method.TokenIndex >= 0)
                Arguments[Method.TokenIndex] = CancellationToken.None;
            return;
        }

        _calleeSource = new CancellationTokenSource();
        Arguments[Method.TokenIndex] = _calleeSource.Token;
        Volatile.Write(ref _runningAt, activation);
        if (HasEnded)
            _calleeSource.Cancel();
    }

    private void CancelByCaller(CancellationToken token)
    {
        Complete(null, new OperationCanceledException(token));
        Origin.Environment.Deliver(Origin.Name, At?.Name ?? Origin.Name, new Cancellation(this));
    }

    private sealed class Answer(Call call, object? result, Exception? exception) : INodeMessage
    {
        public Call About => call;

        public void Arrive() => call.Complete(result, exception);

        public override string ToString() => $"answer to {call}";
    }

    private sealed class Cancellation(Call call) : INodeMessage
    {
        public Call About => call;

        public void Arrive()
        {
            if (Volatile.Read(ref call._runningAt) is { } activation)
                activation.Work.Post(() =>
                {
                    call._calleeSource!.Cancel();
                    return Task.CompletedTask;
                });
        }

        public override string ToString() => $"cancellation of {call}";
    }
}

/// <summary>A call whose caller waits for a T (object, null, when it waits for nothing but the end).</summary>
internal sealed class Call<T>(Node origin, GrainReference to, MethodDescriptor method, object?[] arguments)
    : Call(origin, to, method, arguments)
{
    private readonly TaskCompletionSource<T> _promise = new(origin.Environment.PromiseOptions);

    public Task<T> Task => _promise.Task;

    protected override void SetOutcome(object? result, Exception? exception)
    {
        if (exception is null)
            _promise.TrySetResult((T)result!);
        else
            _promise.TrySetException(exception);
    }
}
