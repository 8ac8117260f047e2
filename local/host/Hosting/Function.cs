using System.Text.Json;
using FunctionsHost.Protocol;
using Microsoft.Extensions.Configuration;

namespace FunctionsHost.Hosting;

/// <summary>A function of the app, as the worker describes it.</summary>
internal sealed class Function
{
    private readonly JsonElement _trigger;

    private Function(RpcFunctionMetadata metadata, JsonElement trigger, bool enabled)
    {
        Id = metadata.FunctionId;
        Name = metadata.Name;
        Retry = metadata.RetryOptions is { } retry ? RetryPolicy.From(retry) : null;
        _trigger = trigger;
        TriggerType = trigger.GetProperty("type").GetString()!;
        TriggerName = trigger.GetProperty("name").GetString()!;
        IsBinary = string.Equals(Text("dataType"), "binary", StringComparison.OrdinalIgnoreCase);
        IsDeferred = trigger.TryGetProperty("properties", out var properties)
            && properties.ValueKind == JsonValueKind.Object
            && properties.TryGetProperty("supportsDeferredBinding", out var deferred)
            && deferred.ToString().Equals("true", StringComparison.OrdinalIgnoreCase);
        IsEnabled = enabled;
    }

    public string Id { get; }

    public string Name { get; }

    /// <summary>As the binding names it: <c>httpTrigger</c>, <c>queueTrigger</c>, ...</summary>
    public string TriggerType { get; }

    /// <summary>The parameter that gets the trigger's data.</summary>
    public string TriggerName { get; }

    public RetryPolicy? Retry { get; }

    /// <summary>The trigger's data goes to the worker as bytes, not as text.</summary>
    public bool IsBinary { get; }

    /// <summary>The worker makes the parameter itself, from a reference to the data or the whole message.</summary>
    public bool IsDeferred { get; }

    public bool IsEnabled { get; }

    public bool IsHttp => TriggerType.Equals("httpTrigger", StringComparison.OrdinalIgnoreCase);

    /// <exception cref="InvalidOperationException">
    /// The function has something that this host does not serve: the message names it.
    /// </exception>
    public static Function From(RpcFunctionMetadata metadata, IConfiguration settings)
    {
        JsonElement? trigger = null;
        foreach (var text in metadata.RawBindings)
        {
            using var document = JsonDocument.Parse(text);
            var binding = document.RootElement.Clone();
            var type = binding.GetProperty("type").GetString()!;
            if (type.EndsWith("Trigger", StringComparison.OrdinalIgnoreCase))
            {
                if (trigger is not null)
                    throw new InvalidOperationException($"Function '{metadata.Name}' has two triggers; it needs exactly one.");
                trigger = binding;
            }
            else if (!type.Equals("http", StringComparison.OrdinalIgnoreCase))
            {
                throw new InvalidOperationException(
                    $"Function '{metadata.Name}' has a binding of type '{type}', which this host does not serve. "
                    + "Call the service's client instead.");
            }
        }
        return trigger is { } found
            ? new Function(metadata, found, !Settings.IsDisabled(settings, metadata.Name))
            : throw new InvalidOperationException($"Function '{metadata.Name}' has no trigger; it needs exactly one.");
    }

    /// <summary>A property of the trigger that is a text; null where it is not set.</summary>
    public string? Text(string name) =>
        Property(name) is { ValueKind: JsonValueKind.String } value ? value.GetString() : null;

    /// <summary>A property of the trigger as text, whatever its kind; null where it is not set.</summary>
    public string? Raw(string name) => Property(name)?.ToString();

    /// <summary>A property of the trigger that is true or false; null where it is not set, which need not mean false.</summary>
    public bool? Flag(string name) => Property(name) switch
    {
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False } => false,
        { ValueKind: JsonValueKind.String } text => bool.Parse(text.GetString()!),
        _ => null,
    };

    public IReadOnlyList<string>? Texts(string name) =>
        Property(name) is { ValueKind: JsonValueKind.Array } values
            ? [.. values.EnumerateArray().Select(value => value.GetString()!)]
            : null;

    private JsonElement? Property(string name)
    {
        foreach (var property in _trigger.EnumerateObject())
        {
            if (property.Name.Equals(name, StringComparison.OrdinalIgnoreCase))
                return property.Value;
        }
        return null;
    }
}

/// <summary>How often and when a timer that failed runs again. A negative count has no end.</summary>
internal sealed record RetryPolicy(int MaxRetryCount, TimeSpan First, TimeSpan Longest, bool IsExponential)
{
    public static RetryPolicy From(RpcRetryOptions options) =>
        options.RetryStrategy == RpcRetryOptions.Types.RetryStrategy.FixedDelay
            ? new RetryPolicy(
                options.MaxRetryCount, options.DelayInterval.ToTimeSpan(), options.DelayInterval.ToTimeSpan(), IsExponential: false)
            : new RetryPolicy(
                options.MaxRetryCount, options.MinimumInterval.ToTimeSpan(), options.MaximumInterval.ToTimeSpan(), IsExponential: true);

    /// <param name="retry">1 for the first retry.</param>
    public TimeSpan DelayBefore(int retry)
    {
        if (!IsExponential)
            return First;
        var delay = First * Math.Pow(2, Math.Min(retry - 1, 30));
        return delay < Longest ? delay : Longest;
    }
}
