using BenchmarkDotNet.Running;
using Watch.Bench.Load;

// "load" measures the whole product under load; everything else goes to the micro-benchmarks.
if (args is ["load", .. var options])
    return await LoadProgram.RunAsync(options);
BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
return 0;
