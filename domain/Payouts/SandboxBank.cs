using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Serialization;
using Payments.Domain.Database;

namespace Payments.Domain.Payouts;

/// <summary>A payout as the bank's API gets it.</summary>
public sealed record BankTransfer(string Reference, Money Amount, BankAccountDetails Account, PayoutMethod Method);

public enum BankAnswerKind
{
    /// <summary>The bank has it; its state follows by webhook.</summary>
    Accepted,

    /// <summary>The bank read it and will not pay it.</summary>
    Refused,

    /// <summary>The bank may have it or not: the same request must be sent again.</summary>
    Unknown,
}

public sealed record BankAnswer(BankAnswerKind Kind, string? Reference = null, string? Code = null, string? Text = null);

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
            DbText.Of(transfer.Method));
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

                // Not an answer about the payout: our key, our rate, or another call with it that is still running.
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

    private static BankAnswer Accepted(byte[] body) => JsonSerializer.Deserialize(body, SandboxBankJson.Default.SandboxPayout) is { Id: { } id }
        ? new BankAnswer(BankAnswerKind.Accepted, id)
        : new BankAnswer(BankAnswerKind.Unknown, Text: "The answer cannot be read.");

    private static BankAnswer Refused(byte[] body) => JsonSerializer.Deserialize(body, SandboxBankJson.Default.SandboxBankRefusal)?.Error is { Code: { } code } error
        ? new BankAnswer(BankAnswerKind.Refused, Code: code, Text: error.Message)
        : new BankAnswer(BankAnswerKind.Unknown, Text: "A refusal without a reason.");
}

internal sealed record SandboxPayoutRequest(string Reference, long Amount, string Currency, SandboxBankAccount BankAccount, string Method);

internal sealed record SandboxBankAccount(string? Iban, string? Bic, string? RoutingNumber, string? AccountNumber, string HolderName);

internal sealed record SandboxPayout(string? Id, string? Reference, string? Status, long? Amount, string? Currency, string? FailureCode);

internal sealed record SandboxBankRefusal(SandboxBankError? Error);

internal sealed record SandboxBankError(string? Code, string? Message);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(SandboxPayoutRequest))]
[JsonSerializable(typeof(SandboxPayout))]
[JsonSerializable(typeof(SandboxBankRefusal))]
internal sealed partial class SandboxBankJson : JsonSerializerContext;
