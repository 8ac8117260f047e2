using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using Payments.Domain.Disputes;
using Payments.Domain.Disputes.Evidence;
using Payments.Domain.Providers.Credentials;
using Payments.Domain.Providers.Http;

namespace Payments.Domain.Providers.Stripe;

/// <summary>Finds the credentials for the response to a dispute. Null if there are none.</summary>
public delegate ValueTask<ProviderSecrets?> DisputeCredentialSource(string providerDisputeId, CancellationToken ct);

/// <summary>Reads the content of an evidence file. Null if the file no longer exists.</summary>
public delegate Task<byte[]?> EvidenceContentSource(string providerDisputeId, EvidenceFile file, CancellationToken ct);

/// <summary>
/// Sends responses to Stripe's disputes: evidence with <c>submit=true</c>, or a close, which accepts the dispute. Sources:
/// docs.stripe.com/api/disputes (update, close, evidence object), docs.stripe.com/api/files/create, docs.stripe.com/disputes/api.
/// </summary>
/// <remarks>
/// The dispute is read before anything is sent. If it awaits no response, its current state is returned. The outcome of a response that may
/// have arrived is unknown. A repeat reads the dispute first, and its idempotency key is a hash of the content, so the same response counts
/// once.
/// </remarks>
public sealed class StripeDisputeProvider(
    string name, ProviderHttp http, ProviderHttp files, DisputeCredentialSource credentials, EvidenceContentSource contents, TimeProvider time) : IDisputeProvider
{
    /// <summary>The evidence fields that are text. Our other names for them are in <see cref="OtherNames"/>.</summary>
    private static readonly HashSet<string> TextFields = new(StringComparer.Ordinal)
    {
        "access_activity_log", "billing_address", "cancellation_policy_disclosure", "cancellation_rebuttal", "customer_email_address", "customer_name", "customer_purchase_ip",
        "duplicate_charge_explanation", "duplicate_charge_id", "product_description", "refund_policy_disclosure", "refund_refusal_explanation", "service_date", "shipping_address",
        "shipping_carrier", "shipping_date", "shipping_tracking_number", "uncategorized_text",
    };

    private static readonly Dictionary<string, string> OtherNames = new(StringComparer.Ordinal)
    {
        ["customer"] = "customer_name",
        ["customer_email"] = "customer_email_address",
        ["customer_ip"] = "customer_purchase_ip",
        ["tracking_number"] = "shipping_tracking_number",
        ["delivery_date"] = "shipping_date",
        ["delivery_address"] = "shipping_address",
        ["delivery_carrier"] = "shipping_carrier",
    };

    /// <summary>The evidence fields that hold one file each.</summary>
    private static readonly HashSet<string> FileFields = new(StringComparer.Ordinal)
    {
        "cancellation_policy", "customer_communication", "customer_signature", "duplicate_charge_documentation", "receipt", "refund_policy", "service_documentation",
        "shipping_documentation", "uncategorized_file",
    };

    // docs.stripe.com/api/disputes/evidence_object: 20,000 characters per field, and 4.5 MB for all files together.
    private const int LongestText = 20_000;
    private const int MostFileBytes = 4_500_000;

    public string Name => name;

    public async Task<DisputeAnswer> RespondAsync(string providerDisputeId, DisputeResponseKind kind, EvidencePack evidence, CancellationToken ct)
    {
        if (await credentials(providerDisputeId, ct) is not { } secrets)
            return DisputeAnswer.Unknown($"There are no credentials for {name}: nothing was sent.");
        var path = $"v1/disputes/{Uri.EscapeDataString(providerDisputeId)}";
        var look = await http.LookAsync(() => StripeClient.Get(path, secrets), ct);
        if (look is { End: ExchangeEnd.Answered, Status: HttpStatusCode.NotFound })
            return DisputeAnswer.Refused("Stripe knows no such dispute.");
        if (look is not { End: ExchangeEnd.Answered, Status: HttpStatusCode.OK } || Read(look.Body) is not { } now)
            return DisputeAnswer.Unknown(look.Detail);

        // The dispute has a response already, from here or from Stripe's dashboard. Its current state counts.
        if (!DisputeTransitions.AwaitsResponse(now.Status))
            return DisputeAnswer.Done(now);
        var form = new StripeForm();
        if (kind == DisputeResponseKind.Submit)
        {
            if (await FillAsync(form, providerDisputeId, evidence, secrets, ct) is { } problem)
                return problem;
            form.Add("submit", true);
        }
        else
        {
            // The body must not be empty, because it shows whether sending began.
            form.Add("expand[]", "charge");
            path += "/close";
        }

        var key = $"dispute-{providerDisputeId}-{Convert.ToHexStringLower(SHA256.HashData(form.ToBytes()))}";
        var sent = await http.SendAsync(() => StripeClient.Post(path, form, key, secrets), ct);
        return sent.Undecided() is { } undecided ? DisputeAnswer.Unknown(undecided.Detail ?? sent.Detail)
            : (int)sent.Status < 300 ? Read(sent.Body) is { } after ? DisputeAnswer.Done(after) : DisputeAnswer.Unknown("Stripe's answer cannot be read.")
            : Refused(sent);
    }

    /// <returns>The reason why nothing can be sent. Null if the form is complete.</returns>
    private async Task<DisputeAnswer?> FillAsync(StripeForm form, string disputeId, EvidencePack evidence, ProviderSecrets secrets, CancellationToken ct)
    {
        var fields = new SortedDictionary<string, string>(StringComparer.Ordinal);
        var rest = new List<string>();
        foreach (var (given, value) in evidence.Fields.OrderBy(field => field.Key, StringComparer.Ordinal))
        {
            var field = TextFields.Contains(given) ? given : OtherNames.GetValueOrDefault(given);
            if (field is null || !fields.TryAdd(field, value))
                rest.Add($"{given}: {value}");
        }

        var text = string.Join('\n', new[] { evidence.Text, fields.GetValueOrDefault("uncategorized_text") }.Concat(rest).Where(part => !string.IsNullOrWhiteSpace(part)));
        if (text.Length > 0)
            fields["uncategorized_text"] = text;
        if (fields.FirstOrDefault(field => field.Value.Length > LongestText) is { Key: { } tooLong })
            return DisputeAnswer.Refused($"Stripe takes {LongestText} characters in {tooLong}; nothing was sent. Shorten the evidence.");
        if (evidence.Files.Sum(file => (long)file.Size) > MostFileBytes)
            return DisputeAnswer.Refused($"Stripe takes {MostFileBytes} bytes of files together; nothing was sent. Remove or shrink files.");
        foreach (var (field, value) in fields)
            form.Add($"evidence[{field}]", value);

        var taken = new HashSet<string>(StringComparer.Ordinal);
        foreach (var file in evidence.Files.OrderBy(file => file.Hash, StringComparer.Ordinal))
        {
            var field = FileFields.Contains(file.Purpose) ? file.Purpose : "uncategorized_file";
            if (!taken.Add(field) && !taken.Add(field = "uncategorized_file"))
                return DisputeAnswer.Refused($"Stripe takes one file for each purpose, and there is another for {file.Purpose}; nothing was sent. Put them into one file.");
            var (id, failure) = await UploadAsync(disputeId, file, secrets, ct);
            if (failure is not null)
                return failure;
            form.Add($"evidence[{field}]", id);
        }

        return null;
    }

    /// <summary>Files are uploaded first, to another address. A file that is uploaded and never referred to does no harm.</summary>
    private async Task<(string? Id, DisputeAnswer? Failure)> UploadAsync(string disputeId, EvidenceFile file, ProviderSecrets secrets, CancellationToken ct)
    {
        if (await contents(disputeId, file, ct) is not { } content)
            return (null, DisputeAnswer.Refused($"The file '{file.Name}' is no longer there; nothing was sent."));
        using var multipart = new MultipartFormDataContent($"e{file.Hash}");
        multipart.Add(new StringContent("dispute_evidence"), "purpose");
        var part = new ByteArrayContent(content);
        part.Headers.ContentType = new(file.ContentType);
        multipart.Add(part, "file", $"{file.Hash[..16]}.{Extension(file.ContentType)}");
        var body = await multipart.ReadAsByteArrayAsync(ct);
        var exchange = await files.SendAsync(() => StripeClient.Upload("v1/files", body, multipart.Headers.ContentType!.ToString(), $"file-{disputeId}-{file.Hash}", secrets), ct);
        return exchange is { End: ExchangeEnd.Answered } && (int)exchange.Status < 300 && ProviderJson.ParseObject(exchange.Body)?.Text("id") is { } id ? (id, null)
            : exchange.Undecided() is null && (int)exchange.Status >= 400 ? (null, Refused(exchange))
            : (null, DisputeAnswer.Unknown($"A file was not uploaded: {exchange.Detail}"));
    }

    private static DisputeAnswer Refused(ProviderExchange exchange) => StripeAnswers.OfError(exchange) is { Result: PaymentResult.Declined } refused
        ? DisputeAnswer.Refused($"Stripe: {ProviderJson.ParseObject(exchange.Body)?.Object("error").Text("message") ?? refused.Detail}")
        : DisputeAnswer.Unknown(exchange.Detail);

    private static string Extension(string contentType) => contentType switch
    {
        "application/pdf" => "pdf",
        "image/png" => "png",
        _ => "jpg",
    };

    private DisputeUpdate? Read(byte[] body)
    {
        try
        {
            var now = time.GetUtcNow();
            return ProviderJson.ParseObject(body) is { } json
                ? StripeDisputes.Read(
                    json, now, DisputeSource.Merchant,
                    string.Create(CultureInfo.InvariantCulture, $"response-{now.ToUnixTimeMilliseconds()}"))
                    with
                { Provider = name }
                : null;
        }
        catch (FormatException)
        {
            return null;
        }
    }
}
