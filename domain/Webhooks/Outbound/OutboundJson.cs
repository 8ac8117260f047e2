using System.Text.Json.Serialization;

namespace Payments.Domain.Webhooks.Outbound;

internal sealed record DisabledEndpoint(string Id, string Object, string Status, string DisabledReason);

internal sealed record TestData(string Message);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(DisabledEndpoint))]
[JsonSerializable(typeof(TestData))]
internal sealed partial class OutboundJson : JsonSerializerContext;
