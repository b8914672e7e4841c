using Watch.Silo;

return await ServerCommandLine.RunAsync(args);
