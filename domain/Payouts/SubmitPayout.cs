using System.Text.Json;
using Microsoft.Extensions.Logging;
using Npgsql;
using Payments.Domain.Database;
using Payments.Domain.Messaging;

namespace Payments.Domain.Payouts;

/// <summary>The message that asks for a payout to be submitted to the bank.</summary>
public sealed record PayoutSubmission(Guid Merchant, Guid Payout)
{
    public const string MessageType = "payout.submit";

    internal static OutboxMessage Message(Payout payout, DateTimeOffset now) => OutboxMessage.New(
        QueueNames.PayoutSubmissions, MessageType, JsonSerializer.Serialize(new PayoutSubmission(payout.Merchant.Value, payout.Id.Value), PayoutJson.Default.PayoutSubmission), now);
}

/// <summary>The bank's answer is unknown. The queue must deliver the message again.</summary>
public sealed class BankAnswerUnknownException(string message) : Exception(message);

/// <summary>
/// Submits a payout to the bank's API: commits the intent, calls the bank, commits the outcome. Calls may repeat and run at the same time:
/// the bank knows the payout by its reference and pays it once. An instant payout is sent only once. If no answer came, the app asks the
/// bank about it. The request says until when the bank may take an instant payout. After that time, the bank's answer that it does not know
/// the payout is final.
/// </summary>
public sealed class SubmitPayout(NpgsqlDataSource dataSource, SandboxBank bank, PayoutResults results, OutboxSignal signal, PayoutsOptions options, TimeProvider time, ILogger<SubmitPayout> logger)
    : IMessageHandler
{
    public string Queue => QueueNames.PayoutSubmissions;

    public string Type => PayoutSubmission.MessageType;

    public short Version => 1;

    public Task HandleAsync(Message message, CancellationToken ct)
    {
        var submission = message.Body.Deserialize(PayoutJson.Default.PayoutSubmission) ?? throw new FormatException("The message names no payout.");
        return HandleAsync(new MerchantId(submission.Merchant), new PayoutId(submission.Payout), ct);
    }

    /// <exception cref="BankAnswerUnknownException">The app does not know whether the bank has the payout. Call again.</exception>
    public async Task HandleAsync(MerchantId merchant, PayoutId payout, CancellationToken ct)
    {
        // This commits the intent. From now on the payout cannot be canceled.
        if (await BeginAsync(merchant, payout, ct) is not var (transfer, isFirst))
        {
            return;
        }

        var answer = isFirst || transfer.ValidUntil is null ? await bank.SendAsync(transfer, ct) : await AskAsync(transfer, ct);
        if (answer.Kind == BankAnswerKind.Unknown)
        {
            PayoutLog.SubmissionUnknown(logger, payout, merchant, answer.Text ?? "");
            throw new BankAnswerUnknownException($"The bank's answer to {payout} is unknown: {answer.Text}");
        }

        var word = answer.Kind == BankAnswerKind.Accepted
            ? new PayoutWord(merchant, payout, answer.Said, answer.Code, ProviderReference: answer.Reference)
            : new PayoutWord(merchant, payout, PayoutStatus.Failed, answer.Code, answer.Text);
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        await results.ApplyAsync(connection, transaction, [word], time.GetUtcNow(), ct);
        await transaction.CommitAsync(ct);
        signal.Set();
    }

    /// <summary>Submits payouts whose message was lost or given up. Returns how many payouts it tried.</summary>
    public async Task<int> SweepAsync(int limit, CancellationToken ct)
    {
        var stale = new List<(MerchantId, PayoutId)>();
        await using (var command = dataSource.CreateCommand(PayoutSql.Stale))
        {
            command.Parameters.Add(new() { Value = time.GetUtcNow() - options.ResubmitAfter });
            command.Parameters.Add(new() { Value = limit });
            await using var reader = await command.ExecuteReaderAsync(ct);
            while (await reader.ReadAsync(ct))
            {
                stale.Add((new MerchantId(reader.GetGuid(0)), new PayoutId(reader.GetGuid(1))));
            }
        }

        foreach (var (merchant, payout) in stale)
        {
            try
            {
                await HandleAsync(merchant, payout, ct);
            }
            catch (Exception e) when (e is BankAnswerUnknownException or NpgsqlException)
            {
                PayoutLog.SubmissionFailed(logger, e, payout, merchant);
            }
        }

        return stale.Count;
    }

    // An earlier process may have sent the request before it crashed. Only the bank knows.
    private async Task<BankAnswer> AskAsync(BankTransfer transfer, CancellationToken ct)
    {
        var answer = await bank.AskAsync(transfer.Reference, ct);
        if (answer.Kind != BankAnswerKind.NotThere)
        {
            return answer;
        }

        // The bank's clock decides, because the bank refuses a late request by its own clock.
        return answer.AsOf >= transfer.ValidUntil
            ? new BankAnswer(BankAnswerKind.Refused, Code: BankFailure.NotTaken, Text: "The bank did not take the instant payout in time.")
            : new BankAnswer(BankAnswerKind.Unknown, Text: "The bank does not know it yet.");
    }

    private async Task<(BankTransfer Transfer, bool IsFirst)?> BeginAsync(MerchantId merchant, PayoutId payout, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        await using var begin = new NpgsqlCommand(PayoutSql.BeginSubmission, connection)
        {
            Parameters = { new() { Value = merchant.Value }, new() { Value = payout.Value }, new() { Value = now },
                new() { Value = now + options.InstantWindow } },
        };
        Money amount;
        BankAccountId account;
        PayoutMethod method;
        DateTimeOffset? validUntil;
        bool isFirst;
        await using (var reader = await begin.ExecuteReaderAsync(ct))
        {
            if (!await reader.ReadAsync(ct))
            {
                return null;
            }

            amount = new Money(reader.GetInt64(1), Currency.Of(reader.GetString(0)));
            account = new BankAccountId(reader.GetGuid(2));
            method = DbText.Parse<PayoutMethod>(reader.GetString(3));
            validUntil = reader.IsDBNull(4) ? null : reader.GetFieldValue<DateTimeOffset>(4);
            isFirst = reader.GetBoolean(5);
        }

        var details = await BankAccounts.GetAsync(connection, merchant, account, ct) ?? throw new InvalidOperationException($"{payout} goes to {account}, which does not exist.");
        return (new BankTransfer(PayoutReference.Of(merchant, payout), amount, details.Details, method, validUntil), isFirst);
    }
}
