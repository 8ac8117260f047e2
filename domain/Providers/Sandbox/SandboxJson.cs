using System.Text.Json.Serialization;

namespace Payments.Domain.Providers.Sandbox;

internal sealed record SandboxPaymentRequest(string Reference, long Amount, string Currency, string Token, bool Capture, string? StatementDescriptor, string? ReturnUrl);

internal sealed record SandboxOperationRequest(string Reference, long Amount, bool? Final);

internal sealed record SandboxCard(string? Brand, string? Last4, string? Country);

internal sealed record SandboxPayment(string? Id, string? Reference, string? Status, string? DeclineCode, string? RedirectUrl, SandboxCard? Card);

internal sealed record SandboxOperation(string? Object, string? Id, string? Reference, string? Status, string? FailureCode);

internal sealed record SandboxReference(string? Type, SandboxPayment? Payment, SandboxOperation? Operation);

internal sealed record SandboxError(SandboxErrorDetail? Error);

internal sealed record SandboxErrorDetail(string? Code, string? Message);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(SandboxPaymentRequest))]
[JsonSerializable(typeof(SandboxOperationRequest))]
[JsonSerializable(typeof(SandboxPayment))]
[JsonSerializable(typeof(SandboxOperation))]
[JsonSerializable(typeof(SandboxReference))]
[JsonSerializable(typeof(SandboxError))]
internal sealed partial class SandboxJson : JsonSerializerContext;
