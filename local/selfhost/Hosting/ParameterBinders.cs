using System.Globalization;
using System.Reflection;
using Azure.Core.Serialization;
using Azure.Messaging.ServiceBus;
using Azure.Storage.Queues.Models;
using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Azure.Functions.Worker.Extensions.Abstractions;

namespace Payments.SelfHost.Hosting;

/// <summary>
/// Decides at start how each parameter gets its value: the trigger's own input, the things every function may take, or
/// trigger data of the parameter's name. What nothing binds gets its default value or null.
/// </summary>
internal static class ParameterBinders
{
    private static readonly object NoCancellation = CancellationToken.None;

    public static ParameterBinder For(ParameterInfo parameter, TriggerBindingAttribute? trigger, ObjectSerializer serializer)
    {
        var type = parameter.ParameterType;
        if (type == typeof(FunctionContext))
            return static invocation => new(invocation);
        if (type == typeof(CancellationToken))
            return static invocation => new(invocation.CancellationToken.CanBeCanceled ? invocation.CancellationToken : NoCancellation);
        if (typeof(HttpRequest).IsAssignableFrom(type) && type != typeof(object))
            return static invocation => new(invocation.HttpContext?.Request);
        // These look as if they should bind, and do not: the worker has no converter for them.
        if (type == typeof(HttpContext) || type == typeof(HttpResponse) || type == typeof(System.Security.Claims.ClaimsPrincipal))
            return static _ => default;
        if (type == typeof(ServiceBusMessageActions) || type == typeof(ServiceBusSessionMessageActions))
            return invocation => new(ServiceBus.ServiceBusInput.ActionsOf(invocation.TriggerInput, type));
        return trigger switch
        {
            HttpTriggerAttribute => Absent(parameter),
            null => ByName(parameter, serializer),
            _ => Input(parameter, serializer),
        };
    }

    private static ParameterBinder Absent(ParameterInfo parameter)
    {
        var value = DefaultOf(parameter, out var bindable);
        return bindable
            ? _ => new(value)
            : _ => throw new FunctionInputConverterException($"Nothing can be bound to parameter '{parameter.Name}' of type {parameter.ParameterType}.");
    }

    private static ParameterBinder ByName(ParameterInfo parameter, ObjectSerializer serializer)
    {
        var name = parameter.Name!;
        var type = parameter.ParameterType;
        var absent = Absent(parameter);
        if (type == typeof(string))
        {
            return invocation => !invocation.TryGetTriggerData(name, out var value) || value is null
                ? absent(invocation)
                : new(value as string ?? Convert.ToString(value, CultureInfo.InvariantCulture));
        }
        return invocation => invocation.TryGetTriggerData(name, out var value) && value is not null
            ? new(ConvertTo(parameter, value, serializer))
            : absent(invocation);
    }

    private static ParameterBinder Input(ParameterInfo parameter, ObjectSerializer serializer) =>
        invocation => invocation.TriggerInput switch
        {
            null => Absent(parameter)(invocation),
            Blobs.BlobInput blob => blob.ConvertAsync(parameter, serializer, invocation.CancellationToken),
            ServiceBus.ServiceBusInput bus => new(ConvertTo(parameter, bus.Payload, serializer)),
            { } input => new(ConvertTo(parameter, input, serializer)),
        };

    /// <exception cref="FunctionInputConverterException">The value is not of the parameter's type, nor can it be made so.</exception>
    public static object? ConvertTo(ParameterInfo parameter, object value, ObjectSerializer serializer)
    {
        var type = Nullable.GetUnderlyingType(parameter.ParameterType) ?? parameter.ParameterType;
        try
        {
            return ConvertTo(type, value, serializer);
        }
        catch (Exception e) when (e is not FunctionInputConverterException)
        {
            throw new FunctionInputConverterException(
                $"Parameter '{parameter.Name}' of type {parameter.ParameterType} could not be bound: {e.Message}", e);
        }
    }

    private static object? ConvertTo(Type type, object value, ObjectSerializer serializer)
    {
        if (type.IsInstanceOfType(value))
            return value;
        if (type.IsArray && value is IReadOnlyList<object> batch)
        {
            var element = type.GetElementType()!;
            var items = Array.CreateInstance(element, batch.Count);
            for (var i = 0; i < batch.Count; i++)
                items.SetValue(ConvertTo(element, batch[i], serializer), i);
            return items;
        }
        var body = value switch
        {
            BinaryData data => data,
            QueueMessage message => message.Body,
            ServiceBusReceivedMessage message => message.Body,
            string text => new BinaryData(text),
            byte[] bytes => new BinaryData(bytes),
            _ => new BinaryData(Convert.ToString(value, CultureInfo.InvariantCulture) ?? ""),
        };
        if (type == typeof(BinaryData))
            return body;
        if (type == typeof(string))
            return body.ToString();
        if (type == typeof(byte[]))
            return body.ToArray();
        if (type == typeof(ReadOnlyMemory<byte>))
            return body.ToMemory();
        if (type == typeof(Stream))
            return body.ToStream();
        if (type == typeof(Guid))
            return Guid.Parse(body.ToString());
        if (type == typeof(DateTimeOffset))
            return DateTimeOffset.Parse(Unquoted(body), CultureInfo.InvariantCulture);
        if (type == typeof(DateTime))
            return DateTime.Parse(Unquoted(body), CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind);
        return serializer.Deserialize(body.ToStream(), type, CancellationToken.None);
    }

    private static string Unquoted(BinaryData text) => text.ToString().Trim('"');

    private static object? DefaultOf(ParameterInfo parameter, out bool bindable)
    {
        var type = parameter.ParameterType;
        bindable = parameter.HasDefaultValue || !type.IsValueType || Nullable.GetUnderlyingType(type) is not null;
        if (!parameter.HasDefaultValue)
            return null;
        // The default of a struct is told as null.
        return parameter.DefaultValue ?? (type.IsValueType && Nullable.GetUnderlyingType(type) is null ? Activator.CreateInstance(type) : null);
    }
}
