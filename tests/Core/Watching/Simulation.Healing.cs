using Watch.Core;
using Watch.Core.Watching;

namespace Watch.Core.Tests.Watching;

// The end of a run: the network heals, and every observer is judged.
internal sealed partial class Simulation
{
    /// <summary>The network is whole again; messages on their way are lost, so that what is repaired is repaired by asking.</summary>
    private void Heal()
    {
        _messages.Clear();
        _lossPercent = 0;
        while (_answers.Count > 0)
            AnswerOne();
        var quiet = 0;
        for (var round = 0; round < 500; round++)
        {
            _requests.AddRange(_table.TakeEffects());
            var isQuiet = _requests.All(request => request is WatchEffect.AskProgress) && _answers.Count == 0 && _agrees && round > 3;
            foreach (var observer in _observers)
                while (TakeFrom(observer, 100, long.MaxValue) is { } items)
                    isQuiet &= items.End is null && items.Parts.All(part => part is WatchPart.Progress or WatchPart.Stale);
            isQuiet &= _room.Count == 0;
            quiet = isQuiet ? quiet + 1 : 0;
            if (quiet == 2)
            {
                AskAllHowFar();
                return;
            }

            while (_requests.Count > 0)
                ServeTruly();
            ContinueReplays();
            AskProgress();
            while (_questions.Count > 0)
                ServeQuestion();
            while (_answers.Count > 0)
                AnswerOne();
            // Longer than anything is waited for: what has failed is repeated by then.
            Tick(2_500);
        }

        throw new BrokenPromiseException("the table does not come to rest");
    }

    private void AskAllHowFar()
    {
        foreach (var observer in _observers)
        {
            observer.LastProgress = null;
            _table.AskProgress(observer.Subscription.Id, _nowMs);
        }

        for (var i = 0; i < 4; i++)
        {
            AskProgress();
            while (_questions.Count > 0)
                ServeQuestion();
            while (_answers.Count > 0)
                AnswerOne();
            _requests.AddRange(_table.TakeEffects());
            while (_requests.Count > 0)
                ServeTruly();
        }

        foreach (var observer in _observers)
            while (TakeFrom(observer, 100, long.MaxValue) is not null)
            {
            }
    }

    private void ServeTruly()
    {
        var (before, requests) = (_answers.Count, _requests.Count);
        ServeRequest(0);
        Invariant.That(_answers.Count >= before && _requests.Count == requests - 1, "each request is served once");
    }

    private void Leave()
    {
        _table.EndAll(EndReason.ServerStopping);
        while (_requests.Count + _answers.Count > 0 || _table.HasEffects)
        {
            _requests.AddRange(_table.TakeEffects());
            while (_requests.Count > 0)
                ServeTruly();
            while (_questions.Count > 0)
                ServeQuestion();
            while (_answers.Count > 0)
                AnswerOne();
        }

        var stats = _table.Stats;
        if (stats.Subscriptions + stats.PreviousValueSubscriptions + stats.Scopes + _table.UnderWay != 0 || _table.NextDeadlineMs is not null)
            throw new BrokenPromiseException($"an empty table still holds {stats}, and waits for {_table.UnderWay} answers");
        foreach (var observer in _observers)
        {
            while (TakeFrom(observer, 100, long.MaxValue) is not null)
            {
            }

            observer.Conclude(_ledger);
        }
    }
}
