using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Watch.Tidy;

/// <summary>The rules that read one source file: pure functions from a file to what is wrong with it.</summary>
internal static class Rules
{
    public const int LinesPerFileMax = 400;
    public const int LinesPerFunctionMax = 50;

    /// <summary>Layers whose code runs under the simulator: time, chance and threads are given to them.</summary>
    public static readonly string[] SimulatedLayers = ["src/Core", "src/Interfaces", "src/Grains", "src/Client"];

    private static readonly (string Name, Regex Pattern)[] Banned =
    [
        ("DateTime.Now", Call(@"\bDateTime(Offset)?\.(Now|UtcNow|Today)\b")),
        ("Stopwatch", Call(@"\bStopwatch\b")),
        ("Environment.TickCount", Call(@"\bEnvironment\.TickCount")),
        ("TimeProvider.System", Call(@"\bTimeProvider\.System\b")),
        ("Random.Shared", Call(@"\bRandom\.Shared\b|\bRandomNumberGenerator\b")),
        ("new Random", Call(@"\bnew Random\(")),
        ("Guid.NewGuid", Call(@"\bGuid\.(NewGuid|CreateVersion7)\b")),
        ("Task.Run", Call(@"\bTask\.(Run|Factory\.StartNew)\b")),
        ("ThreadPool", Call(@"\bThreadPool\.")),
        ("new Thread", Call(@"\bnew (System\.Threading\.)?Thread\(")),
        ("Thread.Sleep", Call(@"\bThread\.(Sleep|Yield|SpinWait)\b")),
        ("new Timer", Call(@"\bnew (System\.Threading\.)?Timer\(")),
        ("CancelAsync", Call(@"\bCancelAsync\(")),
        ("ConfigureAwait(false)", Call(@"\bConfigureAwait\(false\)")),
        ("HashCode of a string", Call(@"\bstring\.GetHashCode\(")),
    ];

    public static IEnumerable<Finding> LongFiles(SourceFile file) => file.Lines.Length > LinesPerFileMax
        ? [new(file.Path, 1, $"{file.Lines.Length} lines, at most {LinesPerFileMax}")]
        : [];

    /// <summary>Every function with its length: from its name (not its attributes) to its last brace.</summary>
    public static IEnumerable<(Finding Finding, string Name, int Length)> Functions(SourceFile file)
    {
        foreach (var node in file.Root.DescendantNodes())
        {
            SyntaxToken? name = node switch
            {
                MethodDeclarationSyntax method => method.Identifier,
                ConstructorDeclarationSyntax constructor => constructor.Identifier,
                DestructorDeclarationSyntax finalizer => finalizer.Identifier,
                OperatorDeclarationSyntax @operator => @operator.OperatorToken,
                ConversionOperatorDeclarationSyntax conversion => conversion.OperatorKeyword,
                AccessorDeclarationSyntax accessor => accessor.Keyword,
                LocalFunctionStatementSyntax local => local.Identifier,
                _ => null,
            };
            if (name is not { } token)
                continue;
            var first = token.GetLocation().GetLineSpan().StartLinePosition.Line;
            var length = node.GetLocation().GetLineSpan().EndLinePosition.Line - first + 1;
            yield return (new(file.Path, first + 1, $"{token.Text} has {length} lines, at most {LinesPerFunctionMax}"), token.Text, length);
        }
    }

    /// <summary>Calls that take time, chance or a thread from elsewhere than what the code was given.</summary>
    public static IEnumerable<(Finding Finding, string Name)> BannedCalls(SourceFile file)
    {
        if (!file.IsUnder(SimulatedLayers))
            yield break;
        for (var i = 0; i < file.Code.Length; i++)
        {
            foreach (var (name, pattern) in Banned.Where(ban => ban.Pattern.IsMatch(file.Code[i])))
                yield return (new(file.Path, i + 1, $"{name}: use what is given (TimeProvider, Random, TaskScheduler.Current)"), name);
        }
        foreach (var node in file.Root.DescendantNodes().Where(TakesTimeFromTheSystem))
            yield return (new(file.Path, file.LineOf(node), $"'{node}' takes no TimeProvider"), "no TimeProvider");
    }

    public static IEnumerable<Finding> ConditionalCompilation(SourceFile file) =>
        file.Path.Split('/').SkipLast(1).Contains("Engine")
            ? []
            : Matches(file, @"^\s*#\s*(if|elif|else)\b", "#if outside a folder named Engine");

    public static IEnumerable<Finding> EmptyCatches(SourceFile file) => file.Root.DescendantNodes().OfType<CatchClauseSyntax>()
        .Where(clause => clause.Block.Statements.Count == 0 && !(IsNarrow(clause) && SaysWhy(clause)))
        .Select(clause => new Finding(file.Path, file.LineOf(clause), "an empty catch swallows: name the one failure it means, and say why nothing has to be done"));

    private static bool IsNarrow(CatchClauseSyntax clause) =>
        clause.Filter is not null || (clause.Declaration is { } declaration && declaration.Type.ToString() != "Exception");

    private static bool SaysWhy(CatchClauseSyntax clause) => clause.Block.DescendantTrivia()
        .Any(trivia => trivia.Kind() is SyntaxKind.SingleLineCommentTrivia or SyntaxKind.MultiLineCommentTrivia);

    public static IEnumerable<Finding> AsyncVoid(SourceFile file) => file.Root.DescendantNodes()
        .Where(node => node switch
        {
            MethodDeclarationSyntax method => IsAsyncVoid(method.Modifiers, method.ReturnType),
            LocalFunctionStatementSyntax local => IsAsyncVoid(local.Modifiers, local.ReturnType),
            _ => false,
        })
        .Select(node => new Finding(file.Path, file.LineOf(node), "async void"));

    public static IEnumerable<Finding> SkippedTests(SourceFile file) => file.Root.DescendantNodes().OfType<AttributeArgumentSyntax>()
        .Where(argument => argument.NameEquals?.Name.Identifier.Text == "Skip")
        .Select(argument => new Finding(file.Path, file.LineOf(argument), "a skipped test"));

    public static IEnumerable<Finding> WaitsInTests(SourceFile file) => file.IsUnder("tests")
        ? Matches(file, @"\bTask\.Delay\b|\bThread\.Sleep\b|\bSpinWait\b", "a test waits for an event, never for a while")
        : [];

    public static IEnumerable<Finding> UnfinishedWork(SourceFile file) => Matches(file, @"\bNotImplementedException\b", "not implemented")
        .Concat(file.Root.DescendantTrivia(descendIntoTrivia: true)
            .Where(trivia => trivia.Kind() is SyntaxKind.SingleLineCommentTrivia or SyntaxKind.MultiLineCommentTrivia)
            .Where(comment => Regex.IsMatch(comment.ToString(), @"\b(TODO|FIXME|HACK|XXX)\b"))
            .Select(comment => new Finding(file.Path, comment.GetLocation().GetLineSpan().StartLinePosition.Line + 1, "a note to come back later")));

    private static bool TakesTimeFromTheSystem(SyntaxNode node) => node switch
    {
        InvocationExpressionSyntax call => call.Expression.ToString() == "Task.Delay" && !NamesClock(call.ArgumentList),
        ObjectCreationExpressionSyntax { ArgumentList.Arguments.Count: > 0 } creation =>
            creation.Type.ToString() is "CancellationTokenSource" or "PeriodicTimer" && !NamesClock(creation.ArgumentList!),
        _ => false,
    };

    private static bool NamesClock(ArgumentListSyntax arguments) => arguments.Arguments.Skip(1)
        .Any(argument => Regex.IsMatch(argument.Expression.ToString(), @"(^|[._])(timeProvider|time|clock)$", RegexOptions.IgnoreCase));

    private static bool IsAsyncVoid(SyntaxTokenList modifiers, TypeSyntax returns) =>
        modifiers.Any(SyntaxKind.AsyncKeyword) && returns is PredefinedTypeSyntax { Keyword.RawKind: (int)SyntaxKind.VoidKeyword };

    private static IEnumerable<Finding> Matches(SourceFile file, string pattern, string what) => file.Code.Index()
        .Where(line => Regex.IsMatch(line.Item, pattern))
        .Select(line => new Finding(file.Path, line.Index + 1, what));

    private static Regex Call(string pattern) => new(pattern, RegexOptions.Compiled | RegexOptions.CultureInvariant);
}
