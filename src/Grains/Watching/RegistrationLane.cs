using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using Watch.Core;
using Watch.Core.Watching;
using Watch.Grains.Consensus;

namespace Watch.Grains.Watching;

/// <summary>
/// What one bucket's leader is told and asked in order: registrations, withdrawals, and the question about progress, one call at a time.
/// </summary>
/// <remarks>
/// A withdrawal that overtook a registration would silence a watch. And a question beside them would hardly ever find the leader with
/// the scopes that this silo says it has, as watches come and go; so it stands in the same line (I-P0 of <see cref="WatchTable"/>). What
/// gathers while a call is under way goes with the next one: a storm of new watches costs few calls. Each bucket has a line of its own,
/// so that one without a leader holds up no other. Used in the turns of <see cref="DispatcherLoop"/>.
/// </remarks>
internal sealed partial class RegistrationLane(BucketId bucket, WatchDispatcher dispatcher, LeaderLocator leaders, string silo, ILogger logger)
{
    private const int WatchesPerCallMax = 1024;

    // A million at once, when a leader has to be told everything: nothing here walks all that wait.
    private readonly Queue<WatchEffect> _waiting = [];
    private bool _questionWaits;

    /// <summary>Whether nothing waits or is under way.</summary>
    public bool IsIdle { get; private set; } = true;

    /// <summary>Puts an effect at the end of the line. One question that has not left serves all who want one.</summary>
    public void Add(WatchEffect effect)
    {
        if (effect is WatchEffect.AskProgress)
        {
            if (_questionWaits)
                return;
            _questionWaits = true;
        }

        _waiting.Enqueue(effect);
        if (!IsIdle)
            return;
        IsIdle = false;
        // Owned by the line: each call ends by telling the table how it went.
        _ = RunAsync();
    }

    private async Task RunAsync()
    {
        try
        {
            while (_waiting.TryDequeue(out var first))
            {
                var run = new List<WatchEffect> { first };
                while (run.Count < WatchesPerCallMax && _waiting.TryPeek(out var next) && next.GetType() == first.GetType())
                    run.Add(_waiting.Dequeue());
                _questionWaits &= first is not WatchEffect.AskProgress;
                await (first switch
                {
                    WatchEffect.RegisterScope => RegisterAsync([.. run.Cast<WatchEffect.RegisterScope>()]),
                    WatchEffect.UnregisterScope => UnregisterAsync(run),
                    _ => AskAsync(),
                });
            }
        }
        finally
        {
            IsIdle = true;
        }
    }

    private async Task RegisterAsync(List<WatchEffect.RegisterScope> run)
    {
        try
        {
            // Many that come at once watch the same: the leader is told of each scope once.
            var places = new Dictionary<Scope, int>();
            foreach (var each in run)
                places.TryAdd(each.Scope, places.Count);
            ImmutableArray<Scope> scopes = [.. places.OrderBy(each => each.Value).Select(each => each.Key)];
            var reply = await leaders.ReadAsync(bucket, leader => leader.Register(bucket, silo, scopes));
            foreach (var each in run)
                dispatcher.Registered(each.Subscription, reply, reply.Heads[places[each.Scope]]);
        }
        catch (Exception error)
        {
            LogRegistrationFailed(logger, error, run[0].Scope, run.Count);
            var told = error as WatchException ?? new WatchException(WatchErrorCode.Unavailable, $"The watch could not be registered: {error.Message}");
            foreach (var each in run)
                dispatcher.RegisterFailed(each.Subscription, told);
        }
    }

    private async Task UnregisterAsync(List<WatchEffect> run)
    {
        try
        {
            await leaders.ReadAsync(bucket, leader => leader.Unregister(bucket, silo, [.. run.Select(each => each.Scope)]));
        }
        catch (Exception error)
        {
            // The leader may go on naming this silo; then the two do not agree, and the table withdraws the scopes again.
            LogQuestionFailed(logger, error, run[0].Scope);
        }

        dispatcher.Step(table =>
        {
            foreach (var each in run)
                table.Withdrawn(bucket, each.Scope);
            return true;
        });
    }

    private async Task AskAsync()
    {
        var ask = dispatcher.Step(table => table.BeginProgress(bucket, dispatcher.NowMs));
        try
        {
            var question = new ProgressQuestion(bucket, silo, ask.AckTerm, ask.AckNumber, ask.Scopes, ask.ScopesHash, ask.WantsAll);
            var reply = await leaders.ReadAsync(bucket, leader => leader.Progress(question));
            var heads = reply.Heads.Select(each => new ScopeHead(each.Scope, each.Head)).ToList();
            var answer = new BucketProgress(reply.Revision, reply.Compacted, heads, reply.More, reply.IsAll, reply.Agrees, reply.Term, reply.Number, reply.ConfirmedWallMs);
            dispatcher.Do(table => table.Progress(ask, answer, dispatcher.NowMs));
        }
        catch (Exception error)
        {
            // The next question comes in a moment.
            LogQuestionFailed(logger, error, Scope.Bucket);
            dispatcher.Do(table => table.ProgressFailed(ask, dispatcher.NowMs));
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Count} watches, the first of {Scope}, could not be registered with the leader")]
    private static partial void LogRegistrationFailed(ILogger logger, Exception error, Scope scope, int count);

    [LoggerMessage(Level = LogLevel.Debug, Message = "A question to the leader about {Scope} failed; it is asked again")]
    private static partial void LogQuestionFailed(ILogger logger, Exception error, Scope scope);
}
