using Watch.Core.Storage;
using Watch.Core.Tests.Storage;

namespace Watch.Core.Tests.Consensus;

/// <summary>What machines do with their disks besides writing the log, and how the power goes in the middle of it.</summary>
internal sealed partial class RandomCluster
{
    /// <summary>Does something at a machine's disk. Null where the power went: then the machine is down.</summary>
    private bool? WithPower(Machine machine, Func<bool> work)
    {
        try
        {
            return work();
        }
        catch (Exception lost) when (lost is PowerLostException or LogFailedException { InnerException: PowerLostException })
        {
            GoDown(machine);
            return null;
        }
    }

    private void StepSnapshot(Machine machine, Running run)
    {
        if (_running[machine] != run || machine.Node is null)
            return;
        var did = WithPower(machine, () => !machine.Disk.IsBusy && machine.StepSnapshot(takeOne: !_calm && _random.Next(150) == 0));
        if (did is null)
            return;
        Work(machine);
        At(did.Value ? _random.Next(100, 2000) : _random.Next(1000, 10_000), () => StepSnapshot(machine, run));
    }

    private void DoWork(Machine machine, Running run)
    {
        if (_running[machine] != run || machine.Node is null)
            return;
        run.Works = false;
        if (!machine.Disk.IsBusy && run.Work.TryDequeue(out var work))
        {
            var now = NowOf(machine);
            WithPower(machine, () =>
            {
                machine.Do(work, now);
                return true;
            });
        }
        Work(machine);
    }
}
