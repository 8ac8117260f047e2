using System.Reflection;
using System.Text.RegularExpressions;
using Azure.Core.Serialization;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Azure.Functions.Worker.Extensions.Abstractions;
using Microsoft.Extensions.DependencyInjection;

namespace Payments.SelfHost.Hosting;

/// <summary>Finds the functions of an app, and refuses what the platform would refuse.</summary>
internal static partial class FunctionCatalog
{
    [GeneratedRegex("^[A-Za-z][A-Za-z0-9_-]{0,126}$")]
    private static partial Regex LegalName();

    /// <exception cref="InvalidOperationException">A function is not legal: the message names it.</exception>
    public static IReadOnlyList<FunctionDescriptor> Scan(IEnumerable<Type> types, ObjectSerializer serializer)
    {
        var functions = new SortedDictionary<string, FunctionDescriptor>(StringComparer.OrdinalIgnoreCase);
        foreach (var type in types)
        {
            // A generic or abstract class cannot be made, and only public methods count.
            if (type.ContainsGenericParameters || (type.IsAbstract && !type.IsSealed))
                continue;
            foreach (var method in type.GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static))
            {
                if (method.GetCustomAttribute<FunctionAttribute>() is not { } attribute)
                    continue;
                var function = Describe(attribute.Name, method, type, serializer);
                if (!functions.TryAdd(function.Name, function))
                {
                    throw new InvalidOperationException(
                        $"Two functions are named '{function.Name}' (names differing in case alone are the same): "
                        + $"{functions[function.Name].Definition.EntryPoint} and {function.Definition.EntryPoint}.");
                }
            }
        }
        return [.. functions.Values];
    }

    private static FunctionDescriptor Describe(string name, MethodInfo method, Type type, ObjectSerializer serializer)
    {
        if (!LegalName().IsMatch(name))
            throw new InvalidOperationException($"'{name}' is not a legal function name ({type.FullName}.{method.Name}).");
        var triggers = (
            from parameter in method.GetParameters()
            let trigger = parameter.GetCustomAttribute<TriggerBindingAttribute>()
            where trigger is not null
            select (Parameter: parameter, Trigger: trigger)).ToList();
        if (triggers.Count != 1)
            throw new InvalidOperationException($"Function '{name}' has {triggers.Count} triggers; it needs exactly one.");
        var (triggerParameter, triggerAttribute) = triggers[0];
        var retry = method.GetCustomAttribute<RetryAttribute>();
        if (retry is not null && triggerAttribute is not TimerTriggerAttribute)
            throw new InvalidOperationException($"Function '{name}' has a retry attribute, which is legal on a timer trigger only.");
        if (method.ReturnType == typeof(void) && method.IsDefined(typeof(System.Runtime.CompilerServices.AsyncStateMachineAttribute)))
            throw new InvalidOperationException($"Function '{name}' is async void: nothing could wait for it or see it fail.");

        return new FunctionDescriptor
        {
            Name = name,
            Method = method,
            Trigger = triggerAttribute,
            TriggerParameter = triggerParameter,
            Retry = retry,
            Definition = new KnownDefinition(method, name, triggerParameter.Name!, TypeOf(triggerAttribute)),
            Binders = [.. method.GetParameters().Select(p => ParameterBinders.For(p, p == triggerParameter ? triggerAttribute : null, serializer))],
            Invoke = FunctionInvokers.Compile(method),
            CreateInstance = method.IsStatic ? null : ActivatorUtilities.CreateFactory(type, Type.EmptyTypes),
        };
    }

    public static string TypeOf(TriggerBindingAttribute trigger) => trigger switch
    {
        HttpTriggerAttribute => "httpTrigger",
        TimerTriggerAttribute => "timerTrigger",
        QueueTriggerAttribute => "queueTrigger",
        BlobTriggerAttribute => "blobTrigger",
        ServiceBusTriggerAttribute => "serviceBusTrigger",
        _ => throw new InvalidOperationException($"{trigger.GetType()} is not a trigger that this host has."),
    };
}
