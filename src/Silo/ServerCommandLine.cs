using System.CommandLine;
using System.CommandLine.Help;
using System.Globalization;
using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Watch.Grains;

namespace Watch.Silo;

/// <summary>
/// The server's command line: options that override configuration, and one clear line on standard error for whatever keeps it from
/// running. Exit code 0 after a clean stop, 1 when it cannot run (any more), 2 for bad usage.
/// </summary>
internal static class ServerCommandLine
{
    private const int Ok = 0;
    private const int Failed = 1;
    private const int BadUsage = 2;

    private static readonly Option<string?> s_data = new("--data") { Description = "The folder of the log; created where it does not exist. [default: watch-data]", HelpName = "DIR" };
    private static readonly Option<string?> s_node = new("--node") { Description = "The node's name, kept in its data folder. [default: node1]", HelpName = "NAME" };
    private static readonly Option<string?> s_siloPort = Port("--silo-port", "The port for other silos. [default: 11111]");
    private static readonly Option<string?> s_gatewayPort = Port("--gateway-port", "The port for clients. [default: 30000]");
    private static readonly Option<string?> s_listen = Address("--listen", "The address to listen on. [default: 127.0.0.1]");

    public static async Task<int> RunAsync(string[] args)
    {
        var command = new RootCommand("The Watch server. Settings come from appsettings.json (section Watch), the environment (WATCH_<SETTING>), and these options, the later ones winning.")
        {
            s_data, s_node, s_siloPort, s_gatewayPort, s_listen,
        };
        // The host itself handles SIGTERM and Ctrl-C: the parser must not.
        command.SetAction((parsed, _) => ServeAsync(parsed));
        var parsed = command.Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (parsed.Errors.Count > 0 && parsed.Action is not HelpAction)
        {
            foreach (var error in parsed.Errors)
                await Console.Error.WriteLineAsync($"watch: {error.Message}");
            await Console.Error.WriteLineAsync("--help tells what is allowed.");
            return BadUsage;
        }

        return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
    }

    private static async Task<int> ServeAsync(ParseResult parsed)
    {
        try
        {
            var settings = ServerSettings.Read(Overrides(parsed));
            await settings.CheckPortsAsync();
            using var host = ServerHost.Build(settings);
            return await RunAsync(host, settings);
        }
        catch (Exception error)
        {
            await Console.Error.WriteLineAsync($"watch: {StartupFailure.Describe(error)}");
            return Failed;
        }
    }

    private static async Task<int> RunAsync(IHost host, ServerSettings settings)
    {
        var stopping = host.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping;
        try
        {
            await host.StartAsync();
        }
        catch (Exception) when (stopping.IsCancellationRequested)
        {
            // It was told to stop while it was starting: that is no failure, unless its node was what failed.
            return Told(host);
        }

        await Console.Out.WriteLineAsync(ServerHost.ReadyLine(settings));
        await host.WaitForShutdownAsync();
        return Told(host);
    }

    /// <summary>How the server ended: a node that failed is told in one line, and to whoever restarts failed services by the exit code.</summary>
    private static int Told(IHost host)
    {
        if (host.Services.GetRequiredService<NodeHealth>().Failure is not { } failure)
            return Ok;
        Console.Error.WriteLine($"watch: {StartupFailure.Describe(failure)}");
        return Failed;
    }

    private static Dictionary<string, string?> Overrides(ParseResult parsed) =>
        new (string Setting, string? Value)[]
        {
            ("DataDirectory", parsed.GetValue(s_data)),
            ("NodeName", parsed.GetValue(s_node)),
            ("SiloPort", parsed.GetValue(s_siloPort)),
            ("GatewayPort", parsed.GetValue(s_gatewayPort)),
            ("ListenAddress", parsed.GetValue(s_listen)),
        }
        .Where(each => each.Value is not null)
        .ToDictionary(each => $"{ServerSettings.Section}:{each.Setting}", each => each.Value);

    private static Option<string?> Port(string name, string description)
    {
        var option = new Option<string?>(name) { Description = description, HelpName = "PORT" };
        option.Validators.Add(result =>
        {
            foreach (var token in result.Tokens)
                if (!int.TryParse(token.Value, NumberStyles.None, CultureInfo.InvariantCulture, out var port) || port is < 1 or > 65535)
                    result.AddError($"{name}: '{token.Value}' is no port; allowed are 1 to 65535.");
        });
        return option;
    }

    private static Option<string?> Address(string name, string description)
    {
        var option = new Option<string?>(name) { Description = description, HelpName = "ADDRESS" };
        option.Validators.Add(result =>
        {
            foreach (var token in result.Tokens)
                if (!IPAddress.TryParse(token.Value, out _))
                    result.AddError($"{name}: '{token.Value}' is no IP address; allowed is one of this machine's, such as 127.0.0.1.");
        });
        return option;
    }
}
