using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Payments.Acquirer;

/// <summary>A request that cannot be understood. Nothing happened and nothing is kept of it.</summary>
internal sealed class BadRequestException(Refusal refusal) : Exception(refusal.Message)
{
    public Refusal Refusal { get; } = refusal;

    public static BadRequestException Because(string code, string message, int status = 400) => new(new(status, code, message));
}

/// <summary>Reads and checks what callers send.</summary>
internal static class Requests
{
    private const int LongestBody = 64 * 1024;
    private const long LargestAmount = 99_999_999_999;

    public static async ValueTask<byte[]> BodyAsync(HttpContext context)
    {
        var reader = context.Request.BodyReader;
        while (true)
        {
            var read = await reader.ReadAsync(context.RequestAborted);
            if (read.Buffer.Length > LongestBody)
                throw BadRequestException.Because("body_too_large", "A body has at most 64 KiB.", 413);
            if (read.IsCompleted)
            {
                var body = read.Buffer.ToArray();
                reader.AdvanceTo(read.Buffer.End);
                return body;
            }
            reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }

    public static T Parse<T>(byte[] body, JsonTypeInfo<T> type)
    {
        try
        {
            return JsonSerializer.Deserialize(body.Length == 0 ? "{}"u8 : body, type)
                ?? throw BadRequestException.Because("invalid_json", "The body is null.");
        }
        catch (JsonException problem)
        {
            throw BadRequestException.Because("invalid_json", problem.Message);
        }
    }

    /// <summary>The key of a call that moves money, and the fingerprint of what it asks for.</summary>
    public static IdempotencyKey Key(HttpContext context, byte[] body)
    {
        var key = context.Request.Headers["Idempotency-Key"].ToString();
        if (key.Length is 0 or > 255)
            throw BadRequestException.Because("idempotency_key_required", "Give an Idempotency-Key header of 1 to 255 characters.");
        var path = Encoding.UTF8.GetBytes(context.Request.Path.Value! + "\n");
        return new(key, Hash(key), Hash([.. path, .. body]));
    }

    public static UInt128 Hash(string text) => Hash(Encoding.UTF8.GetBytes(text));

    public static PaymentRequest Check(this PaymentRequest request)
    {
        CheckReference(request.Reference);
        CheckAmount(request.Amount, required: true);
        CheckCurrency(request.Currency);
        if (request.Token is null || Tokens.Card(request.Token) is null)
            throw BadRequestException.Because("invalid_token", "The token is not one of the documented ones.");
        if (request.ReturnUrl is { } url && !(Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"))
            throw BadRequestException.Because("invalid_return_url", "return_url is an absolute http or https address.");
        return request;
    }

    public static OperationRequest Check(this OperationRequest request)
    {
        CheckReference(request.Reference);
        CheckAmount(request.Amount, required: false);
        return request;
    }

    /// <summary>Answers the bank token that decides the payout's fate.</summary>
    public static string Check(this PayoutRequest request)
    {
        CheckReference(request.Reference);
        CheckAmount(request.Amount, required: true);
        CheckCurrency(request.Currency);
        if (request.Method is not (null or "standard" or "instant") || (request.Method == "instant" && request.Currency is not ("EUR" or "GBP" or "USD")))
            throw BadRequestException.Because("invalid_method", "method is standard, or instant in EUR, GBP and USD.");
        return Tokens.BankToken(request.BankAccount ?? throw BadRequestException.Because("bank_account_required", "Give bank_account."))
            ?? throw BadRequestException.Because("invalid_token", "The bank account's token is not one of the documented ones.");
    }

    public static OpenDisputeRequest Check(this OpenDisputeRequest request)
    {
        CheckAmount(request.Amount, required: false);
        if (request.Currency is not null)
            CheckCurrency(request.Currency);
        return request;
    }

    public static FaultsRequest Check(this FaultsRequest request)
    {
        foreach (var rule in request.Rules ?? [])
        {
            if (rule.Probability is < 0 or > 1 || rule.Burst < 1 || rule.DelayMilliseconds < 0 || rule.Status is < 400 or > 599)
                throw BadRequestException.Because("invalid_fault", "probability is 0 to 1, burst at least 1, delay_milliseconds at least 0, status 400 to 599.");
        }
        return request;
    }

    private static UInt128 Hash(ReadOnlySpan<byte> bytes)
    {
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(bytes, digest);
        return BinaryPrimitives.ReadUInt128BigEndian(digest);
    }

    private static void CheckReference(string? reference)
    {
        if (reference is null || reference.Length is 0 or > 200)
            throw BadRequestException.Because("reference_required", "reference has 1 to 200 characters.");
    }

    private static void CheckAmount(long? amount, bool required)
    {
        if (amount is null ? required : amount is <= 0 or > LargestAmount)
            throw BadRequestException.Because("invalid_amount", $"amount is a whole number of minor units from 1 to {LargestAmount}.");
    }

    private static void CheckCurrency(string? currency)
    {
        if (currency is not { Length: 3 } || !currency.All(char.IsAsciiLetterUpper))
            throw BadRequestException.Because("invalid_currency", "currency is an ISO 4217 code in capitals.");
    }
}
