using Watch.ClientApp.CommandLine;

return await WatchCommandLine.RunAsync(args);
