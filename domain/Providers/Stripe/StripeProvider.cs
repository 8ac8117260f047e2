using System.Globalization;
using System.Net;
using System.Text.Json;
using Payments.Domain.Providers.Credentials;
using Payments.Domain.Providers.Http;

namespace Payments.Domain.Providers.Stripe;

/// <summary>
/// Stripe's PaymentIntents and refunds. Sources: docs.stripe.com/api/payment_intents (create with <c>confirm</c>, capture, cancel, search, list),
/// docs.stripe.com/api/refunds, docs.stripe.com/payments/multicapture.
/// </summary>
/// <remarks>
/// Unknown: no answer, 5xx, an answer that cannot be read, an idempotency key that is in use or was used for another request. Not sent: no
/// connection, an open circuit, 429, refused credentials, an object that another request has locked. Declined: card errors and invalid
/// requests. Stripe carries out neither.
/// </remarks>
/// <param name="descriptorPrefix">The prefix that the account puts before every statement descriptor. Null if it is not configured.</param>
public sealed class StripeProvider(string name, ProviderHttp http, ProviderAccess access, string? descriptorPrefix = null)
    : IPaymentProvider
{
    // Stripe creates a PaymentIntent within the time limit of a call after the attempt's creation. The rest of the margin is for clocks
    // that disagree.
    private static readonly TimeSpan Before = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan After = TimeSpan.FromMinutes(5);

    private const int PageSize = 100;
    private const int MostPages = 20;

    public string Name => name;

    /// <summary>
    /// The descriptor is a suffix after the account's prefix, an asterisk and a space, 22 characters in total. A prefix has at least 2
    /// characters. Neither may contain &lt; &gt; \ ' " or *. (docs.stripe.com/get-started/account/statement-descriptors.)
    /// </summary>
    public DescriptorRule Descriptors { get; } = new(22 - 2 - Math.Clamp(descriptorPrefix?.Length ?? 2, 2, 10), "<>\\'\"*");

    public async Task<PaymentAnswer> SendAsync(PaymentRequest request, CancellationToken ct)
    {
        if (StripeAmounts.ToUnits(request.Amount) is not { } amount)
            return PaymentAnswer.Declined(DeclineCode.InvalidAmount, $"Stripe cannot count {request.Amount}; nothing was sent.");
        if (request is { Operation: not PaymentOperation.Charge, PaymentReference: null })
            return PaymentAnswer.NotSent("The payment has no id at Stripe.");
        var (secrets, failure) = await access.OpenAsync(request.Reference.Merchant, ct);
        if (failure is not null)
            return failure;
        var (path, form) = Body(request, amount);
        var exchange = await http.SendAsync(() => StripeClient.Post(path, form, request.Reference.ToString(), secrets!), ct);
        if (exchange.Undecided() is { } undecided)
            return undecided;
        if ((int)exchange.Status >= 300)
            return StripeAnswers.OfError(exchange);
        return ProviderJson.ParseObject(exchange.Body) is { } json ? Answer(request, json) : Unreadable();
    }

    /// <summary>
    /// A charge is searched by its metadata. The search lags behind, so a miss is no proof (docs.stripe.com/search, "Data freshness"). Then
    /// the payments of that time are listed. Captures, cancels and refunds are read from the payment itself.
    /// </summary>
    public async Task<PaymentAnswer?> FindAsync(PaymentRequest request, CancellationToken ct)
    {
        if (request is { Operation: not PaymentOperation.Charge, PaymentReference: null })
            return null;
        var (secrets, failure) = await access.OpenAsync(request.Reference.Merchant, ct);
        if (failure is not null)
            return PaymentAnswer.Unknown(failure.Detail!);
        switch (request.Operation)
        {
            case PaymentOperation.Charge:
                return await FindChargeAsync(request.Reference, secrets!, ct);
            case PaymentOperation.Capture or PaymentOperation.Cancel:
                var (intent, unknown) = await GetAsync($"v1/payment_intents/{Escaped(request.PaymentReference)}", secrets!, ct);
                return unknown ?? (request.Operation is PaymentOperation.Capture ? StripeAnswers.OfCapture(intent, request.Reference) : StripeAnswers.OfCancel(intent));
            case PaymentOperation.Refund:
                var (refund, doubt) = await PagesAsync($"v1/refunds?payment_intent={Escaped(request.PaymentReference)}", item => IsOf(item, request.Reference), secrets!, ct);
                return doubt ?? (refund is { } found ? StripeAnswers.OfRefund(found) : null);
            default:
                throw new InvalidOperationException($"{request.Operation} is no operation.");
        }
    }

    private static PaymentAnswer Answer(PaymentRequest request, JsonElement json) => request.Operation switch
    {
        PaymentOperation.Charge => StripeAnswers.OfIntent(json),
        PaymentOperation.Capture => StripeAnswers.OfCapture(json, request.Reference) ?? PaymentAnswer.Unknown("Stripe's answer lacks the mark of the capture."),
        PaymentOperation.Cancel => StripeAnswers.OfCancel(json) ?? PaymentAnswer.Unknown("Stripe answered a cancel with a payment that is not canceled."),
        PaymentOperation.Refund => StripeAnswers.OfRefund(json),
    };

    private static (string Path, StripeForm Form) Body(PaymentRequest request, long amount)
    {
        var reference = request.Reference.ToString();
        var form = new StripeForm();
        switch (request.Operation)
        {
            case PaymentOperation.Charge:
                form.Add("amount", amount)
                    .Add("currency", request.Amount.Currency.Code.ToLowerInvariant())
                    .Add("confirm", true)
                    .Add("payment_method_types[]", "card")
                    .Add("capture_method", request.CaptureNow ? "automatic" : "manual")
                    .Add($"metadata[{StripeAnswers.Reference}]", reference)
                    .Add("statement_descriptor_suffix", request.StatementDescriptor)
                    .Add("expand[]", "latest_charge");

                // A token of the older Tokens API stands for a card. Every other token is a PaymentMethod.
                if (request.Token!.StartsWith("tok_", StringComparison.Ordinal))
                    form.Add("payment_method_data[type]", "card").Add("payment_method_data[card][token]", request.Token);
                else
                    form.Add("payment_method", request.Token).Add("customer", Customer(request.Customer));

                // Without a return URL the customer cannot be redirected, so Stripe must decline instead of waiting.
                if (request.ReturnUrl is { } url)
                    form.Add("return_url", url);
                else
                    form.Add("error_on_requires_action", true);
                if (!request.CaptureNow)
                    form.Add("payment_method_options[card][request_multicapture]", "if_available");
                return ("v1/payment_intents", form);
            case PaymentOperation.Capture:
                form.Add("amount_to_capture", amount)
                    .Add($"metadata[{StripeAnswers.CaptureMark(request.Reference)}]", amount)
                    .Add($"metadata[{StripeAnswers.LatestCapture}]", reference);

                // Stripe treats a capture as final by default. It accepts the opposite only if several captures are available.
                if (!request.IsFinal)
                    form.Add("final_capture", false);
                return ($"v1/payment_intents/{Escaped(request.PaymentReference)}/capture", form);
            case PaymentOperation.Cancel:
                return ($"v1/payment_intents/{Escaped(request.PaymentReference)}/cancel", form.Add("cancellation_reason", "requested_by_customer"));
            case PaymentOperation.Refund:
                return ("v1/refunds", form.Add("payment_intent", request.PaymentReference).Add("amount", amount).Add($"metadata[{StripeAnswers.Reference}]", reference));
            default:
                throw new InvalidOperationException($"{request.Operation} is no operation.");
        }
    }

    private async Task<PaymentAnswer?> FindChargeAsync(AttemptReference reference, ProviderSecrets secrets, CancellationToken ct)
    {
        var query = Uri.EscapeDataString($"metadata['{StripeAnswers.Reference}']:'{reference}'");
        var (page, unknown) = await GetAsync($"v1/payment_intents/search?query={query}&limit=1", secrets, ct);
        if (unknown is null && page.Items("data").FirstOrDefault() is { ValueKind: JsonValueKind.Object } first && first.Text("id") is { } id)
        {
            // The search may return an old state of the payment. A read by id returns the current one.
            var (intent, unread) = await GetAsync($"v1/payment_intents/{Escaped(id)}?expand[]=latest_charge", secrets, ct);
            return unread ?? StripeAnswers.OfIntent(intent);
        }

        if (Made(reference) is not { } made)
            return PaymentAnswer.Unknown("The attempt's id holds no time to look at.");
        var from = (made - Before).ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        var until = (made + After).ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        var (listed, doubt) = await PagesAsync(
            $"v1/payment_intents?created[gte]={from}&created[lte]={until}&expand[]=data.latest_charge", item => IsOf(item, reference), secrets, ct);
        return doubt ?? (listed is { } found ? StripeAnswers.OfIntent(found) : null);
    }

    /// <summary>Reads the pages of a list. Only a list that was read to its end proves that an object is not in it.</summary>
    private async Task<(JsonElement? Found, PaymentAnswer? Unknown)> PagesAsync(string path, Func<JsonElement, bool> wanted, ProviderSecrets secrets, CancellationToken ct)
    {
        string? after = null;
        for (var page = 0; page < MostPages; page++)
        {
            var (list, unknown) = await GetAsync($"{path}&limit={PageSize}{(after is null ? "" : $"&starting_after={Escaped(after)}")}", secrets, ct);
            if (unknown is not null)
                return (null, unknown);
            string? last = null;
            foreach (var item in list.Items("data"))
            {
                if (wanted(item))
                    return (item, null);
                last = item.Text("id");
            }

            if (list.TryGetProperty("has_more", out var more) && more.ValueKind is JsonValueKind.False)
                return (null, null);
            if (last is null)
                break;
            after = last;
        }

        return (null, PaymentAnswer.Unknown("Stripe's list was not read to its end."));
    }

    private async Task<(JsonElement Json, PaymentAnswer? Unknown)> GetAsync(string path, ProviderSecrets secrets, CancellationToken ct)
    {
        var exchange = await http.LookAsync(() => StripeClient.Get(path, secrets), ct);
        return exchange is not { End: ExchangeEnd.Answered, Status: HttpStatusCode.OK } ? (default, PaymentAnswer.Unknown(exchange.Detail))
            : ProviderJson.ParseObject(exchange.Body) is { } json ? (json, null)
            : (default, Unreadable());
    }

    private static bool IsOf(JsonElement item, AttemptReference reference) => item.Object("metadata").Text(StripeAnswers.Reference) == reference.ToString();

    private static PaymentAnswer Unreadable() => PaymentAnswer.Unknown("Stripe's answer cannot be read.");

    // A customer may be the merchant's own reference. Only Stripe's ids are sent to Stripe.
    private static string? Customer(string? customer) => customer?.StartsWith("cus_", StringComparison.Ordinal) is true ? customer : null;

    private static string Escaped(string? id) => Uri.EscapeDataString(id ?? throw new ArgumentException("The operation needs the payment's id at Stripe."));

    /// <summary>The time when the attempt was recorded: a version 7 id begins with it. (RFC 9562, 5.7.)</summary>
    private static DateTimeOffset? Made(AttemptReference reference)
    {
        Span<byte> bytes = stackalloc byte[16];
        reference.Attempt.Value.TryWriteBytes(bytes, bigEndian: true, out _);
        return bytes[6] >> 4 != 7 ? null
            : DateTimeOffset.FromUnixTimeMilliseconds(((long)bytes[0] << 40) | ((long)bytes[1] << 32) | ((long)bytes[2] << 24) | ((long)bytes[3] << 16) | ((long)bytes[4] << 8) | bytes[5]);
    }
}
