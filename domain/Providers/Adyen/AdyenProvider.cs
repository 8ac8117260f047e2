using System.Text.Json;
using Payments.Domain.Providers.Credentials;
using Payments.Domain.Providers.Http;

namespace Payments.Domain.Providers.Adyen;

/// <summary>
/// Adyen's Checkout API, version 71: payments, payment details, captures, cancels, refunds. Sources: docs.adyen.com/api-explorer/Checkout/71/overview,
/// docs.adyen.com/online-payments/modify-payments, docs.adyen.com/development-resources/api-idempotency.
/// </summary>
/// <remarks>
/// Unknown: no answer, 5xx, an answer that cannot be read, error 704 (a request with the key is running). Not sent: no connection, an open
/// circuit, 429, refused credentials. Declined: the results Refused, Error and Cancelled, and requests refused as invalid. Pending: every
/// capture, cancel and refund, until its event.
/// </remarks>
public sealed class AdyenProvider(string name, ProviderHttp http, ProviderAccess access, string? returnUrl) : IPaymentProvider
{
    public static readonly CredentialField ApiKey = new("api_key", IsSecret: true, IsRequired: true);
    public static readonly CredentialField MerchantAccount = new("merchant_account", IsSecret: false, IsRequired: true);

    public string Name => name;

    /// <summary>
    /// Adyen allows in <c>shopperStatement</c>: letters, digits, spaces and . , ' _ - ? + * /, at most 22 characters.
    /// (docs.adyen.com/api-explorer/Checkout/71/post/payments.)
    /// </summary>
    public DescriptorRule Descriptors { get; } = new(22, "&");

    public async Task<PaymentAnswer> SendAsync(PaymentRequest request, CancellationToken ct)
    {
        if (AdyenAmounts.ToUnits(request.Amount) is not { } amount)
            return PaymentAnswer.Declined(DeclineCode.InvalidAmount, $"Adyen cannot count {request.Amount}; nothing was sent.");
        if (request is { Operation: not PaymentOperation.Charge, PaymentReference: null })
            return PaymentAnswer.NotSent("The payment has no id at Adyen: it awaits its customer.");
        return await CallAsync(
            request,
            $"{request.Reference.Attempt.Value:N}",
            secrets => request.Operation switch
            {
                PaymentOperation.Charge => ("v71/payments", Charge(request, amount, secrets[MerchantAccount.Name])),
                PaymentOperation.Capture => Modification("captures", request, amount, secrets[MerchantAccount.Name]),
                PaymentOperation.Cancel => Modification("cancels", request, null, secrets[MerchantAccount.Name]),
                PaymentOperation.Refund => Modification("refunds", request, amount, secrets[MerchantAccount.Name]),
            },
            json => request.Operation is PaymentOperation.Charge ? AdyenAnswers.OfPayment(json, request.CaptureNow) : AdyenAnswers.OfModification(json),
            ct);
    }

    /// <summary>
    /// Adyen has no look-up of a payment by its reference, so it can never answer that it does not know one. An attempt without an answer
    /// stays unknown until its event, which Adyen repeats until it is acknowledged.
    /// </summary>
    public Task<PaymentAnswer?> FindAsync(PaymentRequest request, CancellationToken ct) =>
        Task.FromResult<PaymentAnswer?>(PaymentAnswer.Unknown("Adyen has no look-up by reference; its webhook will tell."));

    /// <summary>
    /// Finishes a payment after the redirect: Adyen authorizes only with the result that came back with the customer. A repeat gets the
    /// same answer.
    /// </summary>
    /// <param name="result"><c>redirectResult</c> of the URL at which the customer came back.</param>
    public async Task<PaymentAnswer> CompleteAsync(PaymentRequest request, string? result, CancellationToken ct) => result is null
        ? PaymentAnswer.Unknown("Adyen completes a payment with the redirectResult of the return address.")
        : await CallAsync(
            request,
            $"{request.Reference.Attempt.Value:N}-details",
            _ => ("v71/payments/details", Json(writer =>
            {
                writer.WriteStartObject("details");
                writer.WriteString("redirectResult", result);
                writer.WriteEndObject();
            })),
            json => AdyenAnswers.OfPayment(json, request.CaptureNow),
            ct);

    private async Task<PaymentAnswer> CallAsync(
        PaymentRequest request, string idempotencyKey, Func<ProviderSecrets, (string Path, byte[] Body)> call, Func<JsonElement, PaymentAnswer> read, CancellationToken ct)
    {
        var (secrets, failure) = await access.OpenAsync(request.Reference.Merchant, ct);
        if (failure is not null)
            return failure;
        var (path, body) = call(secrets!);
        var exchange = await http.SendAsync(
            () =>
            {
                var message = new HttpRequestMessage(HttpMethod.Post, path) { Content = new SentContent(body, "application/json") };
                message.Headers.Add("X-API-Key", secrets![ApiKey.Name]);

                // The key has at most 64 characters, and our reference has 68. The attempt's id alone is unique too.
                message.Headers.Add("Idempotency-Key", idempotencyKey);
                return message;
            },
            ct);
        if (exchange.Undecided() is { } undecided)
            return undecided;
        if ((int)exchange.Status >= 300)
            return AdyenAnswers.OfError(exchange);
        return ProviderJson.ParseObject(exchange.Body) is { } json ? read(json) : PaymentAnswer.Unknown("Adyen's answer cannot be read.");
    }

    private byte[] Charge(PaymentRequest request, long amount, string merchantAccount) => Json(writer =>
    {
        Amount(writer, request, amount);
        writer.WriteString("reference", AdyenReference.Of(request));
        writer.WriteString("merchantAccount", merchantAccount);
        writer.WriteString("channel", "Web");
        writer.WriteStartObject("paymentMethod");
        writer.WriteString("type", "scheme");
        writer.WriteString("storedPaymentMethodId", request.Token);
        writer.WriteEndObject();
        writer.WriteString("shopperInteraction", "ContAuth");
        writer.WriteString("recurringProcessingModel", "CardOnFile");
        if (request.Customer is { } customer)
            writer.WriteString("shopperReference", customer);
        if ((request.ReturnUrl ?? returnUrl) is { } url)
            writer.WriteString("returnUrl", url);
        if (request.StatementDescriptor is { } descriptor)
            writer.WriteString("shopperStatement", descriptor);

        // The request overrides the capture delay of the Adyen account. (docs.adyen.com/online-payments/capture, "Enable manual or
        // automatic capture for individual payments".)
        if (request.CaptureNow)
        {
            writer.WriteNumber("captureDelayHours", 0);
        }
        else
        {
            writer.WriteStartObject("additionalData");
            writer.WriteString("manualCapture", "true");
            writer.WriteEndObject();
        }
    });

    private static (string Path, byte[] Body) Modification(string kind, PaymentRequest request, long? amount, string merchantAccount) => (
        $"v71/payments/{Uri.EscapeDataString(request.PaymentReference ?? throw new ArgumentException("The operation needs the payment's pspReference."))}/{kind}",
        Json(writer =>
        {
            // The webhook names the modification by this reference, not by the payment's.
            writer.WriteString("reference", AdyenReference.Of(request));
            writer.WriteString("merchantAccount", merchantAccount);
            if (amount is { } units)
                Amount(writer, request, units);
        }));

    private static void Amount(Utf8JsonWriter writer, PaymentRequest request, long units)
    {
        writer.WriteStartObject("amount");
        writer.WriteString("currency", request.Amount.Currency.Code);
        writer.WriteNumber("value", units);
        writer.WriteEndObject();
    }

    private static byte[] Json(Action<Utf8JsonWriter> content)
    {
        var buffer = new System.Buffers.ArrayBufferWriter<byte>(512);
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            content(writer);
            writer.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }
}
