// Chooses the engine by trying to restore EngineProbe.csproj, and writes the answer down.
//
// The answer must never be wrong or half-written, whoever interrupts whom:
//   * one process asks at a time (a lock file, held by an open handle, so a killed process leaves
//     none behind); whoever had to wait finds the answer and asks nothing;
//   * the answer is written to another file first and renamed, so it is there whole or not at all;
//   * no answer is written when the probe itself did not run to its end.
// An answer is sure when the sources said yes, or said that they have no such package or version.
// Any other failure (a source that cannot be reached, say) gives an unsure Embedded: it is used,
// but asked again by the next restore unless a restore succeeded with it.
using System;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Security;
using System.Text;
using System.Text.RegularExpressions;
using System.Threading;
using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;

public sealed class ChooseEngine : Task, ICancelableTask
{
    private const int ProbeTimeoutMs = 600000;
    private const int LockPollMs = 100;
    private const int CancelGraceMs = 1000;

    private static readonly string[] Asked =
    {
        "Microsoft.Orleans.Server", "Microsoft.Orleans.Client", "Microsoft.Orleans.Streaming",
        "Microsoft.Orleans.TestingHost", "Microsoft.Orleans.Sdk",
    };

    private readonly ManualResetEvent _canceled = new ManualResetEvent(false);

    [Required] public string Answer { get; set; }
    [Required] public string Kept { get; set; }
    [Required] public string Probe { get; set; }
    [Required] public string Version { get; set; }
    [Required] public string ArtifactsPath { get; set; }
    public string DotnetHost { get; set; }
    public string RestoreSources { get; set; }
    public string RestoreConfigFile { get; set; }
    public string RestorePackagesPath { get; set; }

    public void Cancel()
    {
        _canceled.Set();
    }

    public override bool Execute()
    {
        string before = Read(Answer);
        Directory.CreateDirectory(Path.GetDirectoryName(Answer));
        using (FileStream held = Lock(Answer + ".lock"))
        {
            if (held == null)
                return false;
            // Another process may have asked while this one waited.
            string now = Read(Answer);
            if (now != null && (now != before || File.Exists(Kept)))
                return true;
            return Ask();
        }
    }

    private FileStream Lock(string path)
    {
        bool told = false;
        while (true)
        {
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException)
            {
                if (!told)
                    Log.LogMessage(MessageImportance.Normal, "Another build is choosing the engine; waiting for its answer.");
                told = true;
                if (_canceled.WaitOne(LockPollMs))
                    return null;
            }
        }
    }

    private bool Ask()
    {
        Log.LogMessage(MessageImportance.High, "Choosing the Watch engine: asking the package sources for Microsoft Orleans {0}, once.", Version);
        string output;
        int exitCode;
        if (!Restore(out output, out exitCode))
            return false;
        if (exitCode == 0)
        {
            Write("Orleans", "Microsoft Orleans " + Version + " can be restored", true);
            return true;
        }

        string missing = FirstMissing(output);
        if (missing != null)
        {
            Write("Embedded", missing, true);
            return true;
        }

        // Ctrl-C reaches the probe, too, and it may be the first to end.
        if (_canceled.WaitOne(CancelGraceMs))
            return false;
        Match other = Regex.Match(output, @"error (NU[0-9]{4})");
        if (!other.Success && exitCode > 128)
        {
            Log.LogError("The probe for Microsoft Orleans was stopped (exit code {0}); nothing was chosen. Run the command again, or set WatchEngine to Orleans or Embedded.", exitCode);
            return false;
        }
        string why = !other.Success ? "Microsoft Orleans " + Version + " could not be restored"
            : other.Groups[1].Value == "NU1301" ? "a configured package source could not be reached (NU1301)"
            : "Microsoft Orleans " + Version + " could not be restored (" + other.Groups[1].Value + ")";
        Log.LogMessage(MessageImportance.Normal, output);
        Write("Embedded", why, false);
        return true;
    }

    /// <summary>What the sources said they do not have; of several packages, the one that says most to a reader.</summary>
    private string FirstMissing(string output)
    {
        return Regex.Matches(output, @"error (NU110[123]): Unable to find [^\r\n]*?package '?([A-Za-z0-9_.\-]*[A-Za-z0-9_\-])")
            .Cast<Match>()
            .Select(match => new { Code = match.Groups[1].Value, Id = match.Groups[2].Value })
            .OrderBy(found => Asked.Contains(found.Id) ? 0 : IsOrleans(found.Id) ? 1 : 2)
            .ThenBy(found => found.Id, StringComparer.Ordinal)
            .Select(found => found.Id + (IsOrleans(found.Id) ? " " + Version : "") + " is not in the configured package sources (" + found.Code + ")")
            .FirstOrDefault();
    }

    private static bool IsOrleans(string id)
    {
        return id.StartsWith("Microsoft.Orleans.", StringComparison.Ordinal);
    }

    private bool Restore(out string output, out int exitCode)
    {
        var start = new ProcessStartInfo
        {
            FileName = string.IsNullOrEmpty(DotnetHost) ? "dotnet" : DotnetHost,
            Arguments = "restore \"" + Probe + "\" -nodeReuse:false -noLogo -verbosity:minimal -tl:off",
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        // Global properties of this build do not reach another process; environment variables do.
        Set(start, "WatchEngine", "Orleans");
        Set(start, "ArtifactsPath", ArtifactsPath);
        Set(start, "RestoreSources", RestoreSources);
        Set(start, "RestoreConfigFile", RestoreConfigFile);
        Set(start, "RestorePackagesPath", RestorePackagesPath);
        Set(start, "DOTNET_CLI_UI_LANGUAGE", "en");

        var text = new StringBuilder();
        output = "";
        exitCode = -1;
        using (Process process = Process.Start(start))
        using (var ended = new ManualResetEvent(false))
        {
            process.OutputDataReceived += (_, line) => { lock (text) text.AppendLine(line.Data); };
            process.ErrorDataReceived += (_, line) => { lock (text) text.AppendLine(line.Data); };
            process.Exited += (_, __) => ended.Set();
            process.EnableRaisingEvents = true;
            process.StandardInput.Close();
            process.BeginOutputReadLine();
            process.BeginErrorReadLine();
            int first = WaitHandle.WaitAny(new WaitHandle[] { ended, _canceled }, ProbeTimeoutMs);
            if (first != 0)
            {
                Stop(process);
                if (first == 1)
                    return false;
                Log.LogError("The probe for Microsoft Orleans did not end within {0} minutes; nothing was chosen. Set WatchEngine to Orleans or Embedded to go on without it.", ProbeTimeoutMs / 60000);
                return false;
            }
            process.WaitForExit();
            exitCode = process.ExitCode;
            lock (text) output = text.ToString();
            return true;
        }
    }

    private void Stop(Process process)
    {
        try
        {
            process.Kill();
        }
        catch (InvalidOperationException ended)
        {
            Log.LogMessage(MessageImportance.Low, "The probe had already ended: {0}", ended.Message);
        }
    }

    private static void Set(ProcessStartInfo start, string name, string value)
    {
        if (!string.IsNullOrEmpty(value))
            start.EnvironmentVariables[name] = value;
    }

    private static string Read(string path)
    {
        return File.Exists(path) ? File.ReadAllText(path) : null;
    }

    private void Write(string engine, string reason, bool sure)
    {
        string next = Answer + ".next";
        File.WriteAllText(next,
            "<Project>\n" +
            "  <!-- Written by the first restore; delete this folder to ask again. -->\n" +
            "  <PropertyGroup>\n" +
            "    <WatchEngine>" + engine + "</WatchEngine>\n" +
            "    <WatchEngineReason>" + SecurityElement.Escape(reason) + "</WatchEngineReason>\n" +
            (sure ? "" : "    <WatchEngineUnsure>true</WatchEngineUnsure>\n") +
            "  </PropertyGroup>\n" +
            "</Project>\n");
        File.Delete(Answer);
        File.Move(next, Answer);
    }
}
