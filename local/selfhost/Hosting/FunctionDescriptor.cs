using System.Collections.Immutable;
using System.Reflection;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Azure.Functions.Worker.Extensions.Abstractions;
using Microsoft.Extensions.DependencyInjection;

namespace Payments.SelfHost.Hosting;

/// <summary>Gives a parameter its value.</summary>
internal delegate ValueTask<object?> ParameterBinder(Invocation invocation);

/// <summary>A function of the app, with everything that can be worked out before it first runs.</summary>
internal sealed class FunctionDescriptor
{
    public required string Name { get; init; }

    public required MethodInfo Method { get; init; }

    public required TriggerBindingAttribute Trigger { get; init; }

    public required ParameterInfo TriggerParameter { get; init; }

    public required RetryAttribute? Retry { get; init; }

    public required FunctionDefinition Definition { get; init; }

    public required ParameterBinder[] Binders { get; init; }

    public required FunctionInvoker Invoke { get; init; }

    /// <summary>Makes the class for each run; null for static methods.</summary>
    public required ObjectFactory? CreateInstance { get; init; }

    /// <summary>The type that one message is converted to: the element type where a batch is taken as an array.</summary>
    public Type TriggerType => TriggerParameter.ParameterType;
}

internal sealed class KnownDefinition(MethodInfo method, string name, string triggerName, string triggerType) : FunctionDefinition
{
    public override ImmutableArray<FunctionParameter> Parameters { get; } =
        [.. method.GetParameters().Select(p => new FunctionParameter(p.Name!, p.ParameterType, p.HasDefaultValue, p.HasDefaultValue ? p.DefaultValue : null))];

    public override string PathToAssembly { get; } = method.DeclaringType!.Assembly.Location;

    public override string EntryPoint { get; } = $"{method.DeclaringType!.FullName}.{method.Name}";

    /// <summary>The same from start to start, as names are unique in an app.</summary>
    public override string Id { get; } = name;

    public override string Name { get; } = name;

    public override IImmutableDictionary<string, BindingMetadata> InputBindings { get; } =
        ImmutableDictionary<string, BindingMetadata>.Empty.Add(triggerName, new KnownBinding(triggerName, triggerType, BindingDirection.In));

    public override IImmutableDictionary<string, BindingMetadata> OutputBindings { get; } =
        triggerType == "httpTrigger"
            ? ImmutableDictionary<string, BindingMetadata>.Empty.Add("$return", new KnownBinding("$return", "http", BindingDirection.Out))
            : ImmutableDictionary<string, BindingMetadata>.Empty;
}

internal sealed class KnownBinding(string name, string type, BindingDirection direction) : BindingMetadata
{
    public override string Name => name;

    public override string Type => type;

    public override BindingDirection Direction => direction;
}
