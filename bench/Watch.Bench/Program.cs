using BenchmarkDotNet.Running;
using Watch.Bench.Load;
using Watch.Bench.Watching;

// "load" and "watch" measure the whole product; everything else goes to the micro-benchmarks.
if (args is ["load", .. var options])
    return await LoadProgram.RunAsync(options);
if (args is ["watch", .. var measured])
    return await WatchProgram.RunAsync(measured);
BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
return 0;
