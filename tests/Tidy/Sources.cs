using System.Reflection;
using System.Text;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Watch.Tidy;

/// <summary>Something a rule objects to: where, and what.</summary>
internal sealed record Finding(string Path, int Line, string What)
{
    public override string ToString() => $"{Path}:{Line}: {What}";
}

/// <summary>One C# file: its text, its syntax, and its text without comments and literals.</summary>
internal sealed class SourceFile
{
    private readonly Lazy<string[]> _code;

    public SourceFile(string path, string text)
    {
        Path = path;
        Lines = text.TrimEnd('\n').Split('\n');
        // Both symbols: what one engine compiles is parsed; the rest of an #if is still in Code as text.
        var options = CSharpParseOptions.Default.WithPreprocessorSymbols("ENGINE_ORLEANS", "ENGINE_EMBEDDED");
        Root = CSharpSyntaxTree.ParseText(text, options).GetRoot();
        _code = new(() => WithoutCommentsAndLiterals(text).Split('\n'));
    }

    public string Path { get; }
    public string[] Lines { get; }
    public SyntaxNode Root { get; }

    /// <summary>The lines with comments and the contents of literals blanked out.</summary>
    public string[] Code => _code.Value;

    public override string ToString() => Path;

    public bool IsUnder(params string[] folders) => folders.Any(folder => Path.StartsWith(folder + "/", StringComparison.Ordinal));

    public int LineOf(SyntaxNode node) => node.GetLocation().GetLineSpan().StartLinePosition.Line + 1;

    private string WithoutCommentsAndLiterals(string text)
    {
        var code = new StringBuilder(text);
        foreach (var trivia in Root.DescendantTrivia(descendIntoTrivia: true))
        {
            if (trivia.Kind() is SyntaxKind.SingleLineCommentTrivia or SyntaxKind.MultiLineCommentTrivia
                or SyntaxKind.SingleLineDocumentationCommentTrivia or SyntaxKind.MultiLineDocumentationCommentTrivia)
                Blank(code, trivia.FullSpan.Start, trivia.FullSpan.End);
        }
        foreach (var token in Root.DescendantTokens(descendIntoTrivia: true))
        {
            if (token.Kind() is SyntaxKind.StringLiteralToken or SyntaxKind.CharacterLiteralToken or SyntaxKind.Utf8StringLiteralToken
                or SyntaxKind.SingleLineRawStringLiteralToken or SyntaxKind.MultiLineRawStringLiteralToken
                or SyntaxKind.InterpolatedStringTextToken or SyntaxKind.XmlTextLiteralToken)
                Blank(code, token.SpanStart, token.Span.End);
        }
        return code.ToString();
    }

    private static void Blank(StringBuilder text, int start, int end)
    {
        for (var i = start; i < end; i++)
        {
            if (text[i] != '\n')
                text[i] = ' ';
        }
    }
}

/// <summary>The files of this repository, as they lie in the working copy.</summary>
internal static class Sources
{
    private static readonly string[] Skipped = [".git", ".vs", ".idea", "artifacts", "bin", "obj", "TestResults", "BenchmarkDotNet.Artifacts"];
    private static readonly string[] TextTypes = [".cs", ".csproj", ".props", ".targets", ".proj", ".sln", ".md", ".txt", ".json", ".yml", ".sh", ".editorconfig", ".gitignore", ""];
    private static readonly Lazy<SourceFile[]> Parsed = new(() => [.. Paths(".cs").Select(path => new SourceFile(path, Read(path)))]);

    public static string RootFolder { get; } = typeof(Sources).Assembly
        .GetCustomAttributes<AssemblyMetadataAttribute>().Single(data => data.Key == "SourceRoot").Value!;

    /// <summary>Every C# file under src, tests, bench and samples.</summary>
    public static IReadOnlyList<SourceFile> All => Parsed.Value;

    public static IEnumerable<string> Paths(string extension) => TextFiles().Where(path => Path.GetExtension(path) == extension);

    public static IEnumerable<string> TextFiles() => Walk(RootFolder)
        .Select(path => Path.GetRelativePath(RootFolder, path).Replace('\\', '/'))
        .Where(path => TextTypes.Contains(Path.GetExtension(path)) || Path.GetFileName(path).StartsWith('.'))
        .Order(StringComparer.Ordinal);

    public static string Read(string path) => File.ReadAllText(Path.Combine(RootFolder, path)).ReplaceLineEndings("\n");

    public static IEnumerable<Finding> Findings(Func<SourceFile, IEnumerable<Finding>> rule) => All.SelectMany(rule);

    private static IEnumerable<string> Walk(string folder) => Directory.EnumerateFiles(folder)
        .Concat(Directory.EnumerateDirectories(folder).Where(child => !Skipped.Contains(Path.GetFileName(child))).SelectMany(Walk));
}
