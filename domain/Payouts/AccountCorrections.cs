using System.Text.Json;
using Npgsql;
using NpgsqlTypes;
using Payments.Domain.Database;
using Payments.Domain.Messaging;
using Payments.Domain.Payouts.BankFiles;

namespace Payments.Domain.Payouts;

internal enum CorrectionEffect
{
    /// <summary>The merchant's account was replaced by a corrected one.</summary>
    Applied,

    /// <summary>The account has these details already, or the merchant has given another account since.</summary>
    NothingNew,

    /// <summary>An operator must decide.</summary>
    Unmatched,
}

/// <param name="Reason">Why an operator must decide.</param>
internal readonly record struct CorrectionResult(CorrectionEffect Effect, BankAccountId? Account = null, string? Reason = null);

/// <summary>
/// Applies notifications of change. The receiving bank says that a payout arrived and that the account has other details from now on. The
/// corrected account replaces the merchant's account before the next payout is sent. If the corrected data cannot be used, payouts to the
/// account stop, and an event tells the merchant.
/// </summary>
internal static class AccountCorrections
{
    private const string Actor = "system/bank_reports";

    /// <summary>Lock order: payout settings, account, payouts, runs. Applying a correction again changes nothing.</summary>
    public static async Task<CorrectionResult> ApplyAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, MerchantId merchant, PayoutId payout, BankCorrection correction,
        DateTimeOffset now, CancellationToken ct)
    {
        if (!NotificationOfChange.IsOfTheAccount(correction.Code))
        {
            return Unmatched($"The notification of change {correction.Code} is not about the receiver's account.");
        }

        if (await LockAsync(connection, transaction, merchant, payout, ct) is not var (settings, sent)
            || settings.Account is not { } current)
        {
            return Unmatched("The merchant has no bank account.");
        }

        if (current.Id != sent.Id && current.Details != sent.Details
            && !await DescendsAsync(connection, transaction, merchant, current.Id, sent.Id, ct))
        {
            return new CorrectionResult(CorrectionEffect.NothingNew, current.Id);
        }

        if (current.State == BankAccountState.Errored)
        {
            return Unmatched($"The bank account is errored with {current.FailureCode} already.", current.Id);
        }

        if (Corrected(correction, sent.Details, current.Details) is not { } details)
        {
            await StopAsync(connection, transaction, merchant, settings.Currency, current, correction.Code, now, ct);
            return Unmatched($"The corrected data of {correction.Code} cannot be used. Payouts to the account stopped.", current.Id);
        }

        if (details == current.Details)
        {
            return new CorrectionResult(CorrectionEffect.NothingNew, current.Id);
        }

        var corrected = current with
        {
            Id = PrefixedId.New<BankAccountId>(now),
            Details = details,
            Corrects = current.Id,
            CorrectionCode = correction.Code,
        };
        await ReplaceAsync(connection, transaction, merchant, settings with { Account = corrected }, now, ct);
        return new CorrectionResult(CorrectionEffect.Applied, corrected.Id);
    }

    /// <summary>
    /// The current details with the correction applied, or null if the data cannot be used. A current field that differs from the sent one
    /// was corrected by an earlier notification, so it stays.
    /// </summary>
    internal static BankAccountDetails? Corrected(BankCorrection correction, BankAccountDetails sent, BankAccountDetails current)
    {
        if (current.Kind != BankAccountKind.Us || !NotificationOfChange.TryRead(correction.Code, correction.Data, out var change))
        {
            return null;
        }

        // The data must be valid even if it is not new.
        return BankAccountDetails.TryCreateUs(
                change.HolderName ?? sent.HolderName,
                change.RoutingNumber ?? sent.RoutingNumber,
                change.AccountNumber ?? sent.AccountNumber,
                change.AccountType ?? sent.AccountType,
                out var said,
                out _)
            && BankAccountDetails.TryCreateUs(
                Pick(current.HolderName, sent.HolderName, said.HolderName),
                Pick(current.RoutingNumber, sent.RoutingNumber, said.RoutingNumber),
                Pick(current.AccountNumber, sent.AccountNumber, said.AccountNumber),
                Pick(current.AccountType, sent.AccountType, said.AccountType),
                out var details,
                out _)
            ? details with { Address = current.Address }
            : null;
    }

    private static T Pick<T>(T current, T sent, T said) => EqualityComparer<T>.Default.Equals(current, sent) ? said : current;

    private static CorrectionResult Unmatched(string reason, BankAccountId? account = null) =>
        new(CorrectionEffect.Unmatched, account, reason);

    private static async Task<(PayoutSettings Settings, BankAccount Sent)?> LockAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, MerchantId merchant, PayoutId payout, CancellationToken ct)
    {
        string currency;
        BankAccountId account;
        await using (var command = new NpgsqlCommand(PayoutSettingsSql.AccountOfPayout, connection, transaction)
        {
            Parameters = { new() { Value = merchant.Value }, new() { Value = payout.Value } },
        })
        {
            await using var reader = await command.ExecuteReaderAsync(ct);
            if (!await reader.ReadAsync(ct))
            {
                return null;
            }

            (currency, account) = (reader.GetString(0), new BankAccountId(reader.GetGuid(1)));
        }

        PayoutSettings settings;
        await using (var command = new NpgsqlCommand(PayoutSettingsSql.LockAlone, connection, transaction)
        {
            Parameters = { new() { Value = merchant.Value }, new() { Value = currency } },
        })
        {
            await command.ExecuteNonQueryAsync(ct);
        }

        // This is a statement of its own, so that it sees the account that was committed before this transaction got the lock.
        await using (var command = new NpgsqlCommand(PayoutSettingsSql.Get, connection, transaction)
        {
            Parameters = { new() { Value = merchant.Value }, new() { Value = currency } },
        })
        {
            await using var reader = await command.ExecuteReaderAsync(ct);
            if (!await reader.ReadAsync(ct))
            {
                return null;
            }

            settings = PayoutSettings.Read(reader);
        }

        return await BankAccounts.GetAsync(connection, merchant, account, ct) is { } sent ? (settings, sent) : null;
    }

    private static async Task<bool> DescendsAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, MerchantId merchant, BankAccountId account, BankAccountId ancestor,
        CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(PayoutSettingsSql.Descends, connection, transaction)
        {
            Parameters = { new() { Value = merchant.Value }, new() { Value = account.Value }, new() { Value = ancestor.Value } },
        };
        return await command.ExecuteScalarAsync(ct) is true;
    }

    private static async Task ReplaceAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, MerchantId merchant, PayoutSettings settings, DateTimeOffset now,
        CancellationToken ct)
    {
        var account = settings.Account!;
        await using (var batch = new NpgsqlBatch(connection, transaction)
        {
            BatchCommands =
            {
                new(PayoutSettingsSql.InsertCorrection)
                {
                    Parameters =
                    {
                        new() { Value = merchant.Value },
                        new() { Value = account.Corrects!.Value.Value },
                        new() { Value = account.Id.Value },
                        new() { Value = account.Details.HolderName },
                        new() { Value = account.Details.RoutingNumber! },
                        new() { Value = account.Details.AccountNumber! },
                        new() { Value = DbText.Of(account.Details.AccountType) },
                        new() { Value = account.CorrectionCode! },
                        new() { Value = now },
                    },
                },
                new(PayoutSettingsSql.SetAccount)
                {
                    Parameters =
                    {
                        new() { Value = merchant.Value }, new() { Value = settings.Currency.Code }, new() { Value = account.Id.Value },
                        new() { Value = now },
                    },
                },
                EventLog.AppendFirst([Event("bank_account.corrected", merchant, settings.Currency, account, now)]),
            },
        })
        {
            await batch.ExecuteNonQueryAsync(ct);
        }

        await RedirectAsync(connection, transaction, merchant, account, ct);
        await PayoutAudit.WriteAsync(
            connection, transaction, merchant, Actor, "bank_account_corrected", settings.Currency.Code,
            JsonSerializer.Serialize(settings.ToResource(), PayoutJson.Default.PayoutSettingsResource), now, ct);
    }

    // Payouts that wait for a file go to the corrected account. The bytes of a planned file are fixed, so its payouts keep the old account.
    private static async Task RedirectAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, MerchantId merchant,
        BankAccount account, CancellationToken ct)
    {
        var (payouts, runs) = (new List<Guid>(), new SortedSet<Guid>());
        await using (var waiting = new NpgsqlCommand(PayoutSettingsSql.LockWaiting, connection, transaction)
        {
            Parameters = { new() { Value = merchant.Value }, new() { Value = account.Corrects!.Value.Value } },
        })
        {
            await using var reader = await waiting.ExecuteReaderAsync(ct);
            while (await reader.ReadAsync(ct))
            {
                payouts.Add(reader.GetGuid(0));
                if (!reader.IsDBNull(1))
                {
                    runs.Add(reader.GetGuid(1));
                }
            }
        }

        if (payouts.Count == 0)
        {
            return;
        }

        await using (var hold = new NpgsqlCommand(PayoutSettingsSql.LockRuns, connection, transaction)
        {
            Parameters = { new() { Value = runs.ToArray(), NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Uuid } },
        })
        {
            await hold.ExecuteNonQueryAsync(ct);
        }

        await using var redirect = new NpgsqlCommand(PayoutSettingsSql.Redirect, connection, transaction)
        {
            Parameters =
            {
                new() { Value = merchant.Value },
                new() { Value = payouts.ToArray(), NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Uuid },
                new() { Value = account.Id.Value },
            },
        };
        await redirect.ExecuteNonQueryAsync(ct);
    }

    private static async Task StopAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, MerchantId merchant, Currency currency, BankAccount account,
        string code, DateTimeOffset now, CancellationToken ct)
    {
        var stopped = account with { State = BankAccountState.Errored, FailureCode = code };
        await using var batch = new NpgsqlBatch(connection, transaction)
        {
            BatchCommands =
            {
                new(PayoutSql.MarkAccounts)
                {
                    Parameters =
                    {
                        new() { Value = new[] { merchant.Value } }, new() { Value = new[] { account.Id.Value } },
                        new() { Value = new[] { code } }, new() { Value = now },
                    },
                },
                EventLog.Append([Event("bank_account.correction_required", merchant, currency, stopped, now)]),
            },
        };
        await batch.ExecuteNonQueryAsync(ct);
    }

    private static DomainEvent Event(string type, MerchantId merchant, Currency currency, BankAccount account, DateTimeOffset now) => new(
        PrefixedId.New<EventId>(now), merchant, type, "bank_account", account.Id.Value,
        JsonSerializer.Serialize(BankAccountResource.Of(account, currency), PayoutJson.Default.BankAccountResource), now);
}
