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

        // The worker's SDK generates classes of its own into the app.
        var source = string.Concat(RepositorySource.CSharpFiles("domain").Concat(RepositorySource.CSharpFiles("functions")).Select(File.ReadAllText));
        var offenders = types
            .Where(type => type is { IsClass: true, IsAbstract: false, IsSealed: false } && !bases.Contains(type) && type.Name != "Program" && !type.Name.StartsWith('<'))
            .Where(type => source.Contains($"class {type.Name.Split('`')[0]}", StringComparison.Ordinal) || source.Contains($"record {type.Name.Split('`')[0]}", StringComparison.Ordinal))
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
    public void App_AsItIsDeployed_ReadsNoSettingOfTheTestHooks()
    {
        // The deployed assemblies are the tested ones: what kills the app, makes it wrong or moves its clock comes from outside.
        var offenders =
            from assembly in Assemblies
            from name in (string[])["PAYMENTS_CRASH_AT", "PAYMENTS_MUTATION", "PAYMENTS_CLOCK"]
            where File.ReadAllBytes(assembly.Location).AsSpan().IndexOf(System.Text.Encoding.Unicode.GetBytes(name)) >= 0
            select $"{assembly.GetName().Name}: {name}";

        Assert.Empty(offenders);
        Assert.NotEqual(-1, File.ReadAllBytes(typeof(Money).Assembly.Location).AsSpan().IndexOf(System.Text.Encoding.Unicode.GetBytes("payments.charges.outcomes")));
    }

    [Fact]
    public void App_HasOneFlavour_NoSourceIsCompiledConditionally()
    {
        var offenders = RepositorySource.CSharpFiles("domain").Concat(RepositorySource.CSharpFiles("functions"))
            .Where(file => File.ReadLines(file).Any(line => line.TrimStart().StartsWith("#if", StringComparison.Ordinal) || line.TrimStart().StartsWith("[Conditional", StringComparison.Ordinal)))
            .Select(RepositorySource.Relative);

        Assert.Empty(offenders);
    }

    [Fact]
    public void App_TimeComesFromItsContainer_NoSourceTakesTheSystemsClock()
    {
        // A clock that a class makes for itself is one that no test can drive. The exceptions: the clock itself, a default for tools, and the locks of a broker, which has a clock of its own.
        string[] allowed = ["domain/Time/PlatformClock.cs", "domain/Messaging/MessagingRegistration.cs", "functions/Queues/ServiceBusDelivery.cs", "functions/PaymentsRegistration.cs"];
        var offenders = RepositorySource.CSharpFiles("domain").Concat(RepositorySource.CSharpFiles("functions"))
            .Where(file => File.ReadAllText(file) is var text && (text.Contains("TimeProvider.System", StringComparison.Ordinal) || text.Contains("new PlatformClock", StringComparison.Ordinal)))
            .Select(RepositorySource.Relative)
            .Except(allowed);

        Assert.Empty(offenders);
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
