return Watch.Simulation.Tests.Running.CommandLine.Run(args);
