using System.Globalization;
using System.Text.Json;
using FunctionsHost.Protocol;
using Google.Protobuf;
using ProtocolRetry = FunctionsHost.Protocol.RetryContext;

namespace FunctionsHost.Hosting;

/// <summary>What a trigger gives a function: the data of its parameter, and values by name beside it.</summary>
internal sealed class TriggerData
{
    private readonly Dictionary<string, TypedData> _values = new(StringComparer.OrdinalIgnoreCase);

    public required TypedData Input { get; init; }

    public ProtocolRetry? Retry { get; init; }

    public RpcTraceContext? Trace { get; init; }

    /// <summary>Text stays as it is; no value is left out.</summary>
    public void Add(string name, string? value)
    {
        if (value is not null)
            _values[name] = new TypedData { String = value };
    }

    /// <summary>Numbers, dates and objects reach the worker as JSON, so a date keeps its quotes.</summary>
    public void AddJson<T>(string name, T value)
    {
        if (value is not null)
            _values[name] = new TypedData { Json = JsonSerializer.Serialize(value) };
    }

    /// <summary>Texts of a batch. Microsoft's host leaves out those that are empty, so their places shift.</summary>
    public void Add(string name, IEnumerable<string?> values)
    {
        var collection = new CollectionString();
        collection.String.AddRange(values.Where(value => !string.IsNullOrEmpty(value)));
        _values[name] = new TypedData { CollectionString = collection };
    }

    public void Add(string name, IEnumerable<long> values)
    {
        var collection = new CollectionSInt64();
        collection.Sint64.AddRange(values);
        _values[name] = new TypedData { CollectionSint64 = collection };
    }

    /// <summary>
    /// Offers the properties of a JSON object to parameters of their names. They come after the trigger's own values
    /// and so replace those of the same name, as on the platform.
    /// </summary>
    public void AddPropertiesOf(string text)
    {
        if (!text.AsSpan().TrimStart().StartsWith('{'))
            return;
        try
        {
            using var document = JsonDocument.Parse(text);
            foreach (var property in document.RootElement.EnumerateObject())
            {
                switch (property.Value.ValueKind)
                {
                    case JsonValueKind.String:
                        _values[property.Name] = new TypedData { String = property.Value.GetString()! };
                        break;
                    case JsonValueKind.Number:
                        _values[property.Name] = new TypedData { String = property.Value.GetRawText() };
                        break;
                    case JsonValueKind.True or JsonValueKind.False:
                        _values[property.Name] =
                            new TypedData { String = property.Value.GetBoolean().ToString(CultureInfo.InvariantCulture) };
                        break;
                    case JsonValueKind.Object:
                        _values[property.Name] = new TypedData { Json = property.Value.GetRawText() };
                        break;
                    default:
                        // Arrays and nulls are offered to no parameter.
                        break;
                }
            }
        }
        catch (JsonException)
        {
            // A text that only begins like an object.
        }
    }

    /// <summary>A message as text, or as bytes where the function takes bytes.</summary>
    public static TypedData TextOf(Function function, BinaryData body) => function.IsBinary
        ? new TypedData { Bytes = UnsafeByteOperations.UnsafeWrap(body.ToMemory()) }
        : new TypedData { String = body.ToString() };

    /// <summary>Something that the worker itself makes the parameter from.</summary>
    public static ModelBindingData Model(string source, string contentType, ReadOnlyMemory<byte> content) => new()
    {
        Version = "1.0",
        Source = source,
        ContentType = contentType,
        Content = UnsafeByteOperations.UnsafeWrap(content),
    };

    public InvocationRequest ToRequest(Function function)
    {
        var request = new InvocationRequest { RetryContext = Retry, TraceContext = Trace ?? new RpcTraceContext() };
        request.InputData.Add(new ParameterBinding { Name = function.TriggerName, Data = Input });
        foreach (var (name, value) in _values)
            request.TriggerMetadata[name] = value;
        return request;
    }
}
