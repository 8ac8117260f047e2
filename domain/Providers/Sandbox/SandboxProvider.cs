using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Payments.Domain.Providers.Sandbox;

/// <summary>The sandbox acquirer, spoken to over HTTP as any processor is.</summary>
public sealed class SandboxProvider(HttpClient http) : IPaymentProvider
{
    public const string ProviderName = "sandbox";

    public string Name => ProviderName;

    public async Task<PaymentAnswer> SendAsync(PaymentRequest request, CancellationToken ct)
    {
        using var message = request.Operation switch
        {
            PaymentOperation.Charge => Post("v1/payments", request.Reference, new SandboxPaymentRequest(
                request.Reference.ToString(), request.Amount.MinorUnits, request.Amount.Currency.Code, request.Token!, request.CaptureNow, request.StatementDescriptor, request.ReturnUrl),
                SandboxJson.Default.SandboxPaymentRequest),
            PaymentOperation.Capture => Operation(request, "captures"),
            PaymentOperation.Cancel => Operation(request, "cancels"),
            PaymentOperation.Refund => Operation(request, "refunds"),
        };
        var (status, body, failure) = await ExchangeAsync(message, ct);
        if (failure is not null)
            return failure;
        return (int)status switch
        {
            >= 200 and < 300 => Read(request.Operation, body),
            (int)HttpStatusCode.TooManyRequests => PaymentAnswer.NotSent("The acquirer is over its limit and took nothing on."),
            >= 400 and < 500 => SandboxAnswers.Refused(status, body),
            _ => PaymentAnswer.Unknown($"HTTP {(int)status}."),
        };
    }

    public async Task<PaymentAnswer?> FindAsync(PaymentRequest request, CancellationToken ct)
    {
        using var message = new HttpRequestMessage(HttpMethod.Get, $"v1/operations?reference={request.Reference}");
        var (status, body, failure) = await ExchangeAsync(message, ct);
        if (failure is not null)
            return PaymentAnswer.Unknown(failure.Detail ?? "The acquirer cannot be asked.");
        if (status is HttpStatusCode.NotFound)
            return null;
        if (status is not HttpStatusCode.OK)
            return PaymentAnswer.Unknown($"HTTP {(int)status}.");
        return Parse(body, SandboxJson.Default.SandboxReference) switch
        {
            { Payment: { } payment } => SandboxAnswers.Of(payment),
            { Operation: { } operation } => SandboxAnswers.Of(operation),
            _ => PaymentAnswer.Unknown("The acquirer's answer cannot be read."),
        };
    }

    private static PaymentAnswer Read(PaymentOperation operation, byte[] body) => operation switch
    {
        PaymentOperation.Charge => Parse(body, SandboxJson.Default.SandboxPayment) is { } payment ? SandboxAnswers.Of(payment) : Unreadable(),
        PaymentOperation.Capture or PaymentOperation.Cancel or PaymentOperation.Refund =>
            Parse(body, SandboxJson.Default.SandboxOperation) is { } done ? SandboxAnswers.Of(done) : Unreadable(),
    };

    private static PaymentAnswer Unreadable() => PaymentAnswer.Unknown("The acquirer's answer cannot be read.");

    private static HttpRequestMessage Operation(PaymentRequest request, string kind) => Post(
        $"v1/payments/{request.PaymentReference}/{kind}", request.Reference,
        new SandboxOperationRequest(request.Reference.ToString(), request.Amount.MinorUnits, request.Operation is PaymentOperation.Capture ? request.IsFinal : null),
        SandboxJson.Default.SandboxOperationRequest);

    private static HttpRequestMessage Post<T>(string path, AttemptReference reference, T content, JsonTypeInfo<T> type)
    {
        var body = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(content, type));
        body.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        var message = new HttpRequestMessage(HttpMethod.Post, path) { Content = body };
        message.Headers.Add("Idempotency-Key", reference.ToString());
        return message;
    }

    /// <summary>One exchange; what goes wrong on the way is told apart by whether the request can have arrived.</summary>
    private async Task<(HttpStatusCode Status, byte[] Body, PaymentAnswer? Failure)> ExchangeAsync(HttpRequestMessage message, CancellationToken ct)
    {
        try
        {
            using var response = await http.SendAsync(message, HttpCompletionOption.ResponseContentRead, ct);
            return (response.StatusCode, await response.Content.ReadAsByteArrayAsync(ct), null);
        }
        catch (HttpRequestException e) when (e.HttpRequestError is HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError)
        {
            return (default, [], PaymentAnswer.NotSent($"No connection to the acquirer: {e.HttpRequestError}."));
        }
        catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException)
        {
            return (default, [], PaymentAnswer.Unknown($"The call ended without an answer: {e.GetType().Name}."));
        }
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
