using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Payments.Domain.Providers.Credentials;
using Payments.Domain.Providers.Http;

namespace Payments.Domain.Providers.Sandbox;

/// <summary>The sandbox acquirer. It is called over HTTP like every provider (docs/sandbox-acquirer.md).</summary>
public sealed class SandboxProvider(string name, ProviderHttp http, ProviderAccess access) : IPaymentProvider
{
    public const string ProviderName = "sandbox";

    public string Name => name;

    public async Task<PaymentAnswer> SendAsync(PaymentRequest request, CancellationToken ct)
    {
        var (secrets, failure) = await access.OpenAsync(request.Reference.Merchant, ct);
        if (failure is not null)
            return failure;
        var exchange = await http.SendAsync(() => Message(request, secrets!), ct);
        return exchange.Undecided()
            ?? ((int)exchange.Status < 300 ? Read(request.Operation, exchange.Body) : SandboxAnswers.Refused(exchange.Status, exchange.Body));
    }

    public async Task<PaymentAnswer?> FindAsync(PaymentRequest request, CancellationToken ct)
    {
        var (secrets, failure) = await access.OpenAsync(request.Reference.Merchant, ct);
        if (failure is not null)
            return PaymentAnswer.Unknown(failure.Detail ?? "The acquirer cannot be asked.");
        var exchange = await http.LookAsync(() => Authorized(new HttpRequestMessage(HttpMethod.Get, $"v1/operations?reference={request.Reference}"), secrets!), ct);
        if (exchange is { End: ExchangeEnd.Answered, Status: HttpStatusCode.NotFound })
            return null;
        if (exchange is not { End: ExchangeEnd.Answered, Status: HttpStatusCode.OK })
            return PaymentAnswer.Unknown(exchange.Detail);
        return Parse(exchange.Body, SandboxJson.Default.SandboxReference) switch
        {
            { Payment: { } payment } => SandboxAnswers.Of(payment),
            { Operation: { } operation } => SandboxAnswers.Of(operation),
            _ => Unreadable(),
        };
    }

    private static PaymentAnswer Read(PaymentOperation operation, byte[] body) => operation switch
    {
        PaymentOperation.Charge => Parse(body, SandboxJson.Default.SandboxPayment) is { } payment ? SandboxAnswers.Of(payment) : Unreadable(),
        PaymentOperation.Capture or PaymentOperation.Cancel or PaymentOperation.Refund =>
            Parse(body, SandboxJson.Default.SandboxOperation) is { } done ? SandboxAnswers.Of(done) : Unreadable(),
    };

    private static PaymentAnswer Unreadable() => PaymentAnswer.Unknown("The acquirer's answer cannot be read.");

    private static HttpRequestMessage Message(PaymentRequest request, ProviderSecrets secrets) => Authorized(request.Operation switch
    {
        PaymentOperation.Charge => Post("v1/payments", request.Reference, new SandboxPaymentRequest(
            request.Reference.ToString(), request.Amount.MinorUnits, request.Amount.Currency.Code, request.Token!, request.CaptureNow, request.StatementDescriptor, request.ReturnUrl),
            SandboxJson.Default.SandboxPaymentRequest),
        PaymentOperation.Capture => Operation(request, "captures"),
        PaymentOperation.Cancel => Operation(request, "cancels"),
        PaymentOperation.Refund => Operation(request, "refunds"),
    }, secrets);

    private static HttpRequestMessage Operation(PaymentRequest request, string kind) => Post(
        $"v1/payments/{request.PaymentReference}/{kind}", request.Reference,
        new SandboxOperationRequest(request.Reference.ToString(), request.Amount.MinorUnits, request.Operation is PaymentOperation.Capture ? request.IsFinal : null),
        SandboxJson.Default.SandboxOperationRequest);

    private static HttpRequestMessage Post<T>(string path, AttemptReference reference, T content, JsonTypeInfo<T> type)
    {
        var message = new HttpRequestMessage(HttpMethod.Post, path) { Content = new SentContent(JsonSerializer.SerializeToUtf8Bytes(content, type), "application/json") };
        message.Headers.Add("Idempotency-Key", reference.ToString());
        return message;
    }

    private static HttpRequestMessage Authorized(HttpRequestMessage message, ProviderSecrets secrets)
    {
        message.Headers.Authorization = new AuthenticationHeaderValue("Bearer", secrets["api_key"]);
        return message;
    }

    private static T? Parse<T>(byte[] body, JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(body, type);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
