using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Serialization;
using Payments.Domain.Database;

namespace Payments.Domain.Payouts;

/// <summary>A payout in the form that the bank's API receives.</summary>
/// <param name="ValidUntil">The bank refuses the payout from this time on; null for no limit.</param>
public sealed record BankTransfer(string Reference, Money Amount, BankAccountDetails Account, PayoutMethod Method,
    DateTimeOffset? ValidUntil = null);

/// <summary>The bank's answer about an account's holder, and whether instant payments reach the account.</summary>
public sealed record PayeeAnswer(PayeeResult Result, string? SuggestedName, bool? InstantReachable);

public enum BankAnswerKind
{
    /// <summary>The bank has the payout. A webhook reports its status later.</summary>
    Accepted,

    /// <summary>The bank refuses to pay it.</summary>
    Refused,

    /// <summary>The bank may or may not have the payout.</summary>
    Unknown,

    /// <summary>The app asked the bank, and the bank does not know the payout.</summary>
    NotThere,
}

/// <param name="AsOf">The bank's time at which it did not know the payout; null with other answers.</param>
/// <param name="Said">The payout's status at the bank, if the app asked for it.</param>
public sealed record BankAnswer(BankAnswerKind Kind, string? Reference = null, string? Code = null, string? Text = null,
    PayoutStatus Said = PayoutStatus.InTransit, DateTimeOffset? AsOf = null);

/// <summary>
/// The bank API of the sandbox acquirer. The payout's reference is also the idempotency key, so sending the same payout again has no second effect.
/// </summary>
public sealed class SandboxBank(HttpClient http)
{
    /// <summary>Whether the bank has an instant scheme for the currency: SEPA Instant, Faster Payments, RTP.</summary>
    public static bool PaysInstantly(Currency currency) => currency.Code is "EUR" or "GBP" or "USD";

    public async Task<BankAnswer> SendAsync(BankTransfer transfer, CancellationToken ct)
    {
        var account = transfer.Account;
        var request = new SandboxPayoutRequest(
            transfer.Reference, transfer.Amount.MinorUnits, transfer.Amount.Currency.Code,
            new SandboxBankAccount(account.Iban, account.Bic, account.RoutingNumber, account.AccountNumber, account.HolderName),
            DbText.Of(transfer.Method), transfer.ValidUntil);
        using var message = new HttpRequestMessage(HttpMethod.Post, "v1/payouts")
        {
            Content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(request, SandboxBankJson.Default.SandboxPayoutRequest))
            {
                Headers = { ContentType = new MediaTypeHeaderValue("application/json") },
            },
        };
        message.Headers.Add("Idempotency-Key", transfer.Reference);
        try
        {
            using var response = await http.SendAsync(message, HttpCompletionOption.ResponseContentRead, ct);
            var body = await response.Content.ReadAsByteArrayAsync(ct);
            return response.StatusCode switch
            {
                >= HttpStatusCode.OK and < HttpStatusCode.Ambiguous => Accepted(body),

                // Not an answer about the payout. The cause is our key, our rate, or a running call with the same idempotency key.
                HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden or HttpStatusCode.RequestTimeout or HttpStatusCode.Conflict or HttpStatusCode.TooManyRequests
                    => new BankAnswer(BankAnswerKind.Unknown, Text: $"HTTP {(int)response.StatusCode}"),
                >= HttpStatusCode.BadRequest and < HttpStatusCode.InternalServerError => Refused(body),
                _ => new BankAnswer(BankAnswerKind.Unknown, Text: $"HTTP {(int)response.StatusCode}"),
            };
        }
        catch (Exception e) when (e is HttpRequestException or JsonException or IOException or SocketException || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            return new BankAnswer(BankAnswerKind.Unknown, Text: e.Message);
        }
    }

    /// <summary>Asks whether the bank has a payout, and in which status. Asking has no effect.</summary>
    public async Task<BankAnswer> AskAsync(string reference, CancellationToken ct)
    {
        try
        {
            using var response = await http.GetAsync(new Uri($"v1/payouts?reference={Uri.EscapeDataString(reference)}", UriKind.Relative),
                ct);
            var body = await response.Content.ReadAsByteArrayAsync(ct);
            return response.StatusCode switch
            {
                HttpStatusCode.OK => Found(body, reference),
                HttpStatusCode.NotFound when JsonSerializer.Deserialize(body,
                    SandboxBankJson.Default.SandboxBankRefusal)?.Error is { Code: "payout_not_found" } error
                    => new BankAnswer(BankAnswerKind.NotThere, AsOf: error.AsOf),
                _ => new BankAnswer(BankAnswerKind.Unknown, Text: $"HTTP {(int)response.StatusCode}"),
            };
        }
        catch (Exception e) when (e is HttpRequestException or JsonException or IOException or SocketException
            || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            return new BankAnswer(BankAnswerKind.Unknown, Text: e.Message);
        }
    }

    /// <summary>
    /// Asks the bank whether the account belongs to its holder. Without an answer in time the result is
    /// <see cref="PayeeResult.NotPossible"/>, as the scheme defines.
    /// </summary>
    public async Task<PayeeAnswer> CheckPayeeAsync(BankAccountDetails account, Currency currency, TimeSpan timeout, CancellationToken ct)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(timeout);
        try
        {
            var request = new SandboxPayeeRequest(
                currency.Code, new SandboxBankAccount(account.Iban, account.Bic, account.RoutingNumber, account.AccountNumber,
                    account.HolderName));
            using var content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(request,
                SandboxBankJson.Default.SandboxPayeeRequest))
            {
                Headers = { ContentType = new MediaTypeHeaderValue("application/json") },
            };
            using var response = await http.PostAsync(new Uri("v1/payee_checks", UriKind.Relative), content, limit.Token);
            response.EnsureSuccessStatusCode();
            var body = await response.Content.ReadAsByteArrayAsync(limit.Token);
            return JsonSerializer.Deserialize(body, SandboxBankJson.Default.SandboxPayeeCheck) is { } check
                && DbText.TryParse<PayeeResult>(check.Result, out var result)
                ? new PayeeAnswer(result, result == PayeeResult.CloseMatch ? check.SuggestedName : null, check.InstantReachable)
                : new PayeeAnswer(PayeeResult.NotPossible, null, null);
        }
        catch (Exception e) when (e is HttpRequestException or JsonException or IOException or SocketException
            || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            return new PayeeAnswer(PayeeResult.NotPossible, null, null);
        }
    }

    private static BankAnswer Found(byte[] body, string reference) =>
        JsonSerializer.Deserialize(body, SandboxBankJson.Default.SandboxPayout) is { Id: { } id } payout && payout.Reference == reference
            && DbText.TryParse<PayoutStatus>(payout.Status, out var said)
            ? new BankAnswer(BankAnswerKind.Accepted, id, payout.FailureCode,
                Said: said == PayoutStatus.Pending ? PayoutStatus.InTransit : said)
            : new BankAnswer(BankAnswerKind.Unknown, Text: "The answer cannot be read.");

    private static BankAnswer Accepted(byte[] body) => JsonSerializer.Deserialize(body, SandboxBankJson.Default.SandboxPayout) is { Id: { } id }
        ? new BankAnswer(BankAnswerKind.Accepted, id)
        : new BankAnswer(BankAnswerKind.Unknown, Text: "The answer cannot be read.");

    private static BankAnswer Refused(byte[] body) => JsonSerializer.Deserialize(body, SandboxBankJson.Default.SandboxBankRefusal)?.Error is { Code: { } code } error
        ? new BankAnswer(BankAnswerKind.Refused, Code: code, Text: error.Message)
        : new BankAnswer(BankAnswerKind.Unknown, Text: "A refusal without a reason.");
}

internal sealed record SandboxPayoutRequest(string Reference, long Amount, string Currency, SandboxBankAccount BankAccount, string Method,
    DateTimeOffset? ValidUntil);

internal sealed record SandboxPayeeRequest(string Currency, SandboxBankAccount BankAccount);

internal sealed record SandboxPayeeCheck(string? Result, string? SuggestedName, bool? InstantReachable);

internal sealed record SandboxBankAccount(string? Iban, string? Bic, string? RoutingNumber, string? AccountNumber, string HolderName);

internal sealed record SandboxPayout(string? Id, string? Reference, string? Status, long? Amount, string? Currency, string? FailureCode);

internal sealed record SandboxBankRefusal(SandboxBankError? Error);

internal sealed record SandboxBankError(string? Code, string? Message, DateTimeOffset? AsOf);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(SandboxPayoutRequest))]
[JsonSerializable(typeof(SandboxPayeeRequest))]
[JsonSerializable(typeof(SandboxPayeeCheck))]
[JsonSerializable(typeof(SandboxPayout))]
[JsonSerializable(typeof(SandboxBankRefusal))]
internal sealed partial class SandboxBankJson : JsonSerializerContext;
