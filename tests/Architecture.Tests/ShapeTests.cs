using System.Reflection;
using System.Runtime.CompilerServices;
using Microsoft.Azure.Functions.Worker;
using Payments.Domain;
using Payments.Functions.Http;

namespace Payments.Architecture.Tests;

/// <summary>How types are shaped, where the compiler does not say it.</summary>
public sealed class ShapeTests
{
    private static readonly Assembly[] Assemblies = [typeof(Money).Assembly, typeof(HealthFunctions).Assembly];

    [Fact]
    public void Classes_ThatNothingDerivesFrom_AreSealed()
    {
        var types = Assemblies.SelectMany(assembly => assembly.GetTypes()).Where(type => !type.IsDefined(typeof(CompilerGeneratedAttribute), false)).ToList();
        var bases = types.Select(type => type.BaseType).OfType<Type>().Select(type => type.IsGenericType ? type.GetGenericTypeDefinition() : type).ToHashSet();
        var offenders = types
            .Where(type => type is { IsClass: true, IsAbstract: false, IsSealed: false } && !bases.Contains(type) && type.Name != "Program" && !type.Name.StartsWith('<'))
            .Select(type => type.FullName);

        Assert.Empty(offenders);
    }

    [Fact]
    public void Functions_Names_AreUniqueWhateverTheCase()
    {
        var names = Functions().Select(method => method.GetCustomAttribute<FunctionAttribute>()!.Name).ToList();

        Assert.NotEmpty(names);
        Assert.Equal(names.Count, names.Distinct(StringComparer.OrdinalIgnoreCase).Count());
    }

    [Fact]
    public void HttpFunctions_StateTheirMethodsRouteAndAuthorization()
    {
        // The attribute that names only methods means something else to the host than to the compiler, and an empty route times out.
        var offenders =
            from method in Functions()
            from parameter in method.GetParameters()
            let trigger = parameter.GetCustomAttribute<HttpTriggerAttribute>()
            where trigger is not null && (trigger.Methods is not { Length: > 0 } || string.IsNullOrEmpty(trigger.Route) || trigger.AuthLevel != AuthorizationLevel.Anonymous)
            select method.Name;

        Assert.Empty(offenders);
    }

    [Fact]
    public void Domain_AsItIsDeployed_HoldsNoCrashPointsAndNoMutations()
    {
        // They kill the app, and make it wrong; the build that has them is another output, for tests alone.
        var assembly = File.ReadAllBytes(typeof(Money).Assembly.Location);

        Assert.Equal(-1, assembly.AsSpan().IndexOf(System.Text.Encoding.Unicode.GetBytes("PAYMENTS_CRASH_AT")));
        Assert.Equal(-1, assembly.AsSpan().IndexOf(System.Text.Encoding.Unicode.GetBytes("PAYMENTS_MUTATION")));
        Assert.NotEqual(-1, assembly.AsSpan().IndexOf(System.Text.Encoding.Unicode.GetBytes("payments.charges.outcomes")));
    }

    [Fact]
    public void Functions_NeverSwallowWhatFailed()
    {
        // A queue or timer function that catches and logs has lost its message: it throws, so that the host tries again.
        var offenders = RepositorySource.CSharpFiles("functions/Queues").Concat(RepositorySource.CSharpFiles("functions/Timers"))
            .Where(file => File.ReadAllText(file).Contains("catch", StringComparison.Ordinal))
            .Select(RepositorySource.Relative);

        Assert.Empty(offenders);
    }

    private static IEnumerable<MethodInfo> Functions() =>
        typeof(HealthFunctions).Assembly.GetTypes().SelectMany(type => type.GetMethods()).Where(method => method.IsDefined(typeof(FunctionAttribute)));
}
