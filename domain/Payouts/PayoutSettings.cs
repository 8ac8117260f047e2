using System.Text.Json;
using Npgsql;
using NpgsqlTypes;
using Payments.Domain.Audit;
using Payments.Domain.Database;

namespace Payments.Domain.Payouts;

/// <summary>How a merchant is paid in one currency. Amounts are minor units.</summary>
/// <param name="DelayDays">Business days from capture to availability. Null: the merchant's default delay.</param>
/// <param name="NextOn">The next date of a weekly or monthly schedule.</param>
public sealed record PayoutSettings(
    Currency Currency, PayoutSchedule Schedule, DateOnly? NextOn, int? DelayDays, long Minimum, long? Maximum, PayoutReserve Reserve, string? HoldReason, BankAccount? Account)
{
    internal static PayoutSettings Read(NpgsqlDataReader row) => new(
        Currency.Of(row.GetString(0)),
        new PayoutSchedule(
            DbText.Parse<PayoutInterval>(row.GetString(1)), row.IsDBNull(2) ? null : DbText.Parse<DayOfWeek>(row.GetString(2)), row.IsDBNull(3) ? null : row.GetInt16(3)),
        row.IsDBNull(4) ? null : row.GetFieldValue<DateOnly>(4),
        row.IsDBNull(5) ? null : row.GetInt16(5),
        row.GetInt64(6),
        row.IsDBNull(7) ? null : row.GetInt64(7),
        new PayoutReserve(row.GetInt32(8), row.GetInt32(9), row.GetInt64(10)),
        row.IsDBNull(11) ? null : row.GetString(11),
        row.IsDBNull(12) ? null : BankAccount.Read(row, 12));

    public PayoutSettingsResource ToResource() => new(
        "payout_settings", Currency.Code, new PayoutScheduleResource(DbText.Of(Schedule.Interval), Schedule.Weekday is { } day ? DbText.Of(day) : null, Schedule.MonthDay), DelayDays, Minimum, Maximum,
        new PayoutReserveResource(Reserve.BasisPoints, Reserve.Days, Reserve.Fixed), HoldReason, NextOn,
        Account is { } account ? BankAccountResource.Of(account, Currency) : null);
}

/// <summary>A change of settings. A field that is left out stays as it is.</summary>
/// <param name="Maximum">Minor units. 0 removes the maximum.</param>
public sealed record PayoutSettingsRequest(PayoutScheduleRequest? Schedule, int? DelayDays, long? Minimum, long? Maximum, PayoutReserveRequest? Reserve);

public sealed record PayoutScheduleRequest(string? Interval, string? Weekday, int? MonthDay);

public sealed record PayoutReserveRequest(int? BasisPoints, int? Days, long? Fixed);

/// <param name="Type"><c>iban</c> or <c>us</c>.</param>
/// <param name="AccountType">US accounts: <c>checking</c> (the default) or <c>savings</c>.</param>
/// <param name="Verified">Confirms that the account belongs to the merchant. Only a platform key may set it.</param>
/// <param name="Address">The holder's address, structured or hybrid.</param>
public sealed record BankAccountRequest(
    string? Type, string? HolderName, string? Iban, string? Bic, string? RoutingNumber, string? AccountNumber, string? AccountType,
        bool? Verified, PostalAddressRequest? Address = null);

public sealed record HoldPayoutsRequest(string? Reason);

/// <summary>
/// Reads and changes how merchants are paid. Every change is audited with its actor. Setting the same values again changes nothing.
/// </summary>
public sealed class ManagePayoutSettings(NpgsqlDataSource dataSource, SandboxBank bank, PayoutsOptions options, TimeProvider time)
{
    public async Task<IReadOnlyList<PayoutSettings>> ListAsync(MerchantId merchant, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(PayoutSettingsSql.List);
        command.Parameters.Add(new() { Value = merchant.Value });
        await using var reader = await command.ExecuteReaderAsync(ct);
        var settings = new List<PayoutSettings>();
        while (await reader.ReadAsync(ct))
        {
            settings.Add(PayoutSettings.Read(reader));
        }

        return settings;
    }

    /// <summary>
    /// Changes schedule and limits. Only the platform may change the delay and the reserve, because it carries their risk.
    /// </summary>
    public Task<Result<PayoutSettings>> ChangeAsync(MerchantId merchant, Currency currency, PayoutSettingsRequest request, bool platform, string actor, CancellationToken ct) =>
        UpdateAsync(merchant, currency, actor, "settings_changed", async (connection, transaction, current, now) =>
        {
            if (!platform && (request.DelayDays is not null || request.Reserve is not null))
            {
                return new Refusal(RefusalCode.Forbidden, "Only a platform key may change the delay and the reserve.");
            }

            var next = Merge(current, request, now);
            if (!next.TryGet(out var settings, out var refusal))
            {
                return refusal;
            }

            await using var update = new NpgsqlCommand(PayoutSettingsSql.Update, connection, transaction)
            {
                Parameters =
                {
                    new() { Value = merchant.Value },
                    new() { Value = currency.Code },
                    new() { Value = DbText.Of(settings.Schedule.Interval) },
                    Nullable(settings.Schedule.Weekday is { } day ? DbText.Of(day) : null, NpgsqlDbType.Text),
                    Nullable((short?)settings.Schedule.MonthDay, NpgsqlDbType.Smallint),
                    Nullable(settings.NextOn, NpgsqlDbType.Date),
                    Nullable((short?)settings.DelayDays, NpgsqlDbType.Smallint),
                    new() { Value = settings.Minimum },
                    Nullable(settings.Maximum, NpgsqlDbType.Bigint),
                    new() { Value = settings.Reserve.BasisPoints },
                    new() { Value = settings.Reserve.Days },
                    new() { Value = settings.Reserve.Fixed },
                    new() { Value = now },
                },
            };
            await update.ExecuteNonQueryAsync(ct);
            return settings;
        }, ct);

    /// <summary>
    /// Sets the bank account. The first account may be used at once. A changed account waits for the cooling period. The platform must
    /// verify either one. The app asks the bank who holds a new account, and stores the answer with the account.
    /// </summary>
    public async Task<Result<PayoutSettings>> SetAccountAsync(MerchantId merchant, Currency currency, BankAccountRequest request,
        bool platform, string actor, CancellationToken ct)
    {
        if (request.Verified is not null && !platform)
        {
            return new Refusal(RefusalCode.Forbidden, "Only a platform key may verify a bank account.", "verified");
        }

        if (!Details(request, currency, merchant.Mode).TryGet(out var details, out var refusal))
        {
            return refusal;
        }

        // Ask the bank before the transaction begins, so that no lock is held during the call.
        var answer = await GetAsync(merchant, currency, ct) is { Account: { } known }
            && IsSame(known, details) ? null : await AskAsync(details, currency, ct);
        return await UpdateAsync(merchant, currency, actor, "bank_account_set", async (connection, transaction, current, now) =>
        {
            if (current.Account is { } same && IsSame(same, details))
            {
                if (request.Verified == true && !same.Verified)
                {
                    await VerifyAsync(connection, transaction, merchant, same.Id, now, ct);
                    same = Verified(same);
                }

                return current with { Account = same };
            }

            if (answer is null && Asks(currency))
            {
                // The account was unchanged before the transaction, so the app did not ask. Another request changed it since.
                return new Refusal(RefusalCode.StateConflict, "Another request changed the bank account in the meantime. Send the request again.");
            }

            // A corrected name or address sends no money elsewhere. So only another number starts a cooling period, and only another holder
            // name needs a new verification.
            var corrected = current.Account is { } before && before.State == BankAccountState.Active
                && before.Details.Number == details.Number ? before : null;
            var verified = request.Verified == true || (corrected is { Verified: true }
                && corrected.Details.HolderName == details.HolderName);
            var account = new BankAccount(
                PrefixedId.New<BankAccountId>(now), details, BankAccountState.Active, null, verified,
                current.Account is null ? now : corrected?.UsableFrom ?? (now + options.CoolingPeriod),
                answer is null ? null : new PayeeCheck(answer.Result, now, answer.SuggestedName, Accepted: false),
                    answer?.InstantReachable);
            await using var batch = new NpgsqlBatch(connection, transaction)
            {
                BatchCommands =
                {
                    new(PayoutSettingsSql.InsertAccount)
                    {
                        Parameters =
                        {
                            new() { Value = merchant.Value },
                            new() { Value = account.Id.Value },
                            new() { Value = currency.Code },
                            new() { Value = DbText.Of(details.Kind) },
                            new() { Value = details.HolderName },
                            Nullable(details.Iban, NpgsqlDbType.Text),
                            Nullable(details.Bic, NpgsqlDbType.Text),
                            Nullable(details.RoutingNumber, NpgsqlDbType.Text),
                            Nullable(details.AccountNumber, NpgsqlDbType.Text),
                            Nullable(details.Kind == BankAccountKind.Us ? DbText.Of(details.AccountType) : null, NpgsqlDbType.Text),
                            Nullable(account.Verified ? now : (DateTimeOffset?)null, NpgsqlDbType.TimestampTz),
                            new() { Value = account.UsableFrom },
                            new() { Value = now },
                            Nullable(details.Address is { } address ? JsonSerializer.Serialize(address, PayoutJson.Default.PostalAddress)
                                : null, NpgsqlDbType.Jsonb),
                            Nullable(account.Payee is { } payee ? DbText.Of(payee.Result) : null, NpgsqlDbType.Text),
                            Nullable(account.Payee?.CheckedAt, NpgsqlDbType.TimestampTz),
                            Nullable(account.Payee?.SuggestedName, NpgsqlDbType.Text),
                            Nullable(account.InstantReachable, NpgsqlDbType.Boolean),
                        },
                    },
                    new(PayoutSettingsSql.SetAccount)
                    {
                        Parameters = { new() { Value = merchant.Value }, new() { Value = currency.Code }, new() { Value = account.Id.Value }, new() { Value = now } },
                    },
                },
            };
            await batch.ExecuteNonQueryAsync(ct);
            return current with { Account = account };
        }, ct);
    }

    /// <summary>
    /// Asks the bank again who holds the account. A new answer replaces the old one, and with it the platform's acceptance.
    /// </summary>
    public async Task<Result<PayoutSettings>> CheckPayeeAsync(MerchantId merchant, Currency currency, string actor, CancellationToken ct)
    {
        if (await GetAsync(merchant, currency, ct) is not { Account: { } asked })
        {
            return new Refusal(RefusalCode.StateConflict, $"There is no bank account for {currency} to check.");
        }

        if (await AskAsync(asked.Details, currency, ct) is not { } answer)
        {
            return new Refusal(RefusalCode.StateConflict, $"No bank can check accounts in {currency}.");
        }

        return await UpdateAsync(merchant, currency, actor, "bank_account_checked", async (connection, transaction, current, now) =>
        {
            if (current.Account is not { } account || account.Id != asked.Id)
            {
                return new Refusal(RefusalCode.StateConflict, "The bank account changed during the check. Check the new one.");
            }

            await using var set = new NpgsqlCommand(PayoutSettingsSql.SetPayee, connection, transaction)
            {
                Parameters =
                {
                    new() { Value = merchant.Value },
                    new() { Value = account.Id.Value },
                    new() { Value = DbText.Of(answer.Result) },
                    new() { Value = now },
                    Nullable(answer.SuggestedName, NpgsqlDbType.Text),
                    Nullable(answer.InstantReachable, NpgsqlDbType.Boolean),
                },
            };
            await set.ExecuteNonQueryAsync(ct);
            var payee = new PayeeCheck(answer.Result, now, answer.SuggestedName, Accepted: false);
            return current with { Account = account with { Payee = payee, InstantReachable = answer.InstantReachable } };
        }, ct);
    }

    /// <summary>
    /// Confirms that the account belongs to the merchant, and accepts the bank's answer about its holder. For the platform.
    /// </summary>
    public Task<Result<PayoutSettings>> VerifyAccountAsync(MerchantId merchant, Currency currency, string actor, CancellationToken ct) =>
        UpdateAsync(merchant, currency, actor, "bank_account_verified", async (connection, transaction, current, now) =>
        {
            if (current.Account is not { } account)
            {
                return new Refusal(RefusalCode.StateConflict, $"There is no bank account for {currency} to verify.");
            }

            await VerifyAsync(connection, transaction, merchant, account.Id, now, ct);
            return current with { Account = Verified(account) };
        }, ct);

    /// <summary>Holds payouts with a reason, or releases them (null). For the platform.</summary>
    public Task<Result<PayoutSettings>> HoldAsync(MerchantId merchant, Currency currency, string? reason, string actor, CancellationToken ct) =>
        UpdateAsync(merchant, currency, actor, reason is null ? "hold_released" : "held", async (connection, transaction, current, now) =>
        {
            if (reason is { Length: 0 or > 500 })
            {
                return Refusal.Invalid("reason", "`reason` must give the reason of the hold in 1 to 500 characters.");
            }

            await using var hold = new NpgsqlCommand(PayoutSettingsSql.SetHold, connection, transaction)
            {
                Parameters = { new() { Value = merchant.Value }, new() { Value = currency.Code }, Nullable(reason, NpgsqlDbType.Text), new() { Value = now } },
            };
            await hold.ExecuteNonQueryAsync(ct);
            return current with { HoldReason = reason };
        }, ct);

    internal static Result<PayoutSettings> Merge(PayoutSettings current, PayoutSettingsRequest request, DateTimeOffset now)
    {
        var settings = current with
        {
            DelayDays = request.DelayDays ?? current.DelayDays,
            Minimum = request.Minimum ?? current.Minimum,
            Maximum = request.Maximum is { } maximum ? (maximum == 0 ? null : maximum) : current.Maximum,
            Reserve = request.Reserve is { } r
                ? new PayoutReserve(r.BasisPoints ?? current.Reserve.BasisPoints, r.Days ?? current.Reserve.Days, r.Fixed ?? current.Reserve.Fixed)
                : current.Reserve,
        };
        if (settings.DelayDays is < 0 or > 60)
        {
            return Refusal.Invalid("delay_days", "`delay_days` must be 0 to 60 business days.");
        }

        if (settings.Minimum < 1)
        {
            return Refusal.Invalid("minimum", "`minimum` must be at least 1 minor unit.");
        }

        if (settings.Maximum < settings.Minimum)
        {
            return Refusal.Invalid("maximum", "`maximum` must not be below `minimum`.");
        }

        if (settings.Reserve is { BasisPoints: < 0 or > 10_000 } or { Days: < 0 or > 720 } or { Fixed: < 0 })
        {
            return Refusal.Invalid("reserve", "`reserve` must be 0 to 10000 basis points for 0 to 720 days, or a fixed amount of at least 0.");
        }

        if (request.Schedule is not { } schedule)
        {
            return settings;
        }

        DayOfWeek? weekday = null;
        if (schedule.Weekday is { } text)
        {
            if (!DbText.TryParse<DayOfWeek>(text, out var day))
            {
                return Refusal.Invalid("schedule.weekday", "`schedule.weekday` must be a day from monday to sunday.");
            }

            weekday = day;
        }

        if (!DbText.TryParse<PayoutInterval>(schedule.Interval, out var interval) || new PayoutSchedule(interval, weekday, schedule.MonthDay) is not { IsValid: true } valid)
        {
            return Refusal.Invalid("schedule", "`schedule` must be daily, weekly with `weekday`, monthly with `month_day` 1 to 31, or manual.");
        }

        // Setting the same schedule again must not move a date that is due into the future.
        var next = valid == current.Schedule ? current.NextOn
            : valid.Interval is PayoutInterval.Weekly or PayoutInterval.Monthly
                ? valid.NextAfter(Availability.DueDate(now, settings.Currency).AddDays(-1), BusinessCalendar.Of(settings.Currency))
                : null;
        return settings with { Schedule = valid, NextOn = next };
    }

    // An errored account must be set anew, even with the same details. It then cools again.
    private static bool IsSame(BankAccount account, BankAccountDetails details) => account.Details == details
        && account.State == BankAccountState.Active;

    private static BankAccount Verified(BankAccount account) =>
        account with { Verified = true, Payee = account.Payee is { } payee ? payee with { Accepted = true } : null };

    private bool Asks(Currency currency) => options.HasBankApi && SandboxBank.PaysInstantly(currency);

    private async Task<PayeeAnswer?> AskAsync(BankAccountDetails details, Currency currency, CancellationToken ct) =>
        Asks(currency) ? await bank.CheckPayeeAsync(details, currency, options.Payee.Timeout, ct) : null;

    private async Task<PayoutSettings?> GetAsync(MerchantId merchant, Currency currency, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(PayoutSettingsSql.Get);
        command.Parameters.Add(new() { Value = merchant.Value });
        command.Parameters.Add(new() { Value = currency.Code });
        await using var reader = await command.ExecuteReaderAsync(ct);
        return await reader.ReadAsync(ct) ? PayoutSettings.Read(reader) : null;
    }

    private Result<BankAccountDetails> Details(BankAccountRequest request, Currency currency, Mode mode)
    {
        BankAccountDetails? details;
        BankAccountProblem? problem;
        PostalAddress? address = null;
        if (request.Address is { } given && !PostalAddress.TryCreate(given, out address, out var field))
        {
            return Refusal.Invalid($"address.{field}", "`address` must have `town_name` (up to 35 characters) and `country` (two letters). Other lines have up to 70 characters.");
        }

        if (!DbText.TryParse<BankAccountKind>(request.Type, out var kind))
        {
            return Refusal.Invalid("type", "`type` must be iban or us.");
        }

        if (!BankAccountDetails.Fits(kind, currency))
        {
            problem = BankAccountProblem.KindDoesNotFitCurrency;
        }
        else if (kind == BankAccountKind.Iban)
        {
            if (BankAccountDetails.TryCreateIban(request.HolderName, request.Iban, request.Bic, out details, out problem))
            {
                return PayoutRails.Reaches(options.RailOf(currency, mode), PayoutMethod.Standard, currency, details.Country)
                    ? details with { Address = address }
                    : Refusal.Invalid("iban", $"`iban` must be an account in the SEPA area. SEPA does not reach {details.Country}.");
            }
        }
        else
        {
            var type = UsAccountType.Checking;
            if (request.AccountType is not null && !DbText.TryParse(request.AccountType, out type))
            {
                return Refusal.Invalid("account_type", "`account_type` must be checking or savings.");
            }

            if (BankAccountDetails.TryCreateUs(request.HolderName, request.RoutingNumber, request.AccountNumber, type, out details, out problem))
            {
                return details with { Address = address };
            }
        }

        return problem!.Value switch
        {
            BankAccountProblem.HolderNameMissing => Refusal.Invalid("holder_name", "`holder_name` is required."),
            BankAccountProblem.HolderNameTooLong => Refusal.Invalid("holder_name", "`holder_name` must have at most 140 characters."),
            BankAccountProblem.IbanInvalid => Refusal.Invalid("iban", "`iban` has a wrong country, length or check digit."),
            BankAccountProblem.BicInvalid => Refusal.Invalid("bic", "`bic` must have 8 or 11 letters and digits."),
            BankAccountProblem.RoutingNumberInvalid => Refusal.Invalid("routing_number", "`routing_number` must have nine digits, and the last must be a valid check digit."),
            BankAccountProblem.AccountNumberInvalid => Refusal.Invalid("account_number", "`account_number` must have 4 to 17 digits."),
            BankAccountProblem.KindDoesNotFitCurrency => Refusal.Invalid("type", "`type` must be us for USD and iban for other currencies."),
        };
    }

    private async Task<Result<PayoutSettings>> UpdateAsync(
        MerchantId merchant,
        Currency currency,
        string actor,
        string action,
        Func<NpgsqlConnection, NpgsqlTransaction, PayoutSettings, DateTimeOffset, Task<Result<PayoutSettings>>> change,
        CancellationToken ct)
    {
        var now = time.GetUtcNow();
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        await using (var exists = new NpgsqlCommand(PayoutSettingsSql.Exists, connection, transaction) { Parameters = { new() { Value = merchant.Value } } })
        {
            if (await exists.ExecuteScalarAsync(ct) is null)
            {
                return Refusal.NotFound(merchant.ToString());
            }
        }

        await using (var ensure = new NpgsqlCommand(PayoutSettingsSql.Ensure, connection, transaction)
        {
            Parameters = { new() { Value = merchant.Value }, new() { Value = currency.Code }, new() { Value = now } },
        })
        {
            await ensure.ExecuteNonQueryAsync(ct);
        }

        PayoutSettings current;
        await using (var command = new NpgsqlCommand(PayoutSettingsSql.Lock, connection, transaction) { Parameters = { new() { Value = merchant.Value }, new() { Value = currency.Code } } })
        {
            await using var reader = await command.ExecuteReaderAsync(ct);
            await reader.ReadAsync(ct);
            current = PayoutSettings.Read(reader);
        }

        var result = await change(connection, transaction, current, now);
        if (!result.TryGet(out var after, out _))
        {
            return result;
        }

        if (after != current)
        {
            await PayoutAudit.WriteAsync(
                connection, transaction, merchant, actor, action, currency.Code, JsonSerializer.Serialize(after.ToResource(), PayoutJson.Default.PayoutSettingsResource), now, ct);
        }

        await transaction.CommitAsync(ct);
        return after;
    }

    private static async Task VerifyAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, MerchantId merchant, BankAccountId account, DateTimeOffset now, CancellationToken ct)
    {
        await using var verify = new NpgsqlCommand(PayoutSettingsSql.VerifyAccount, connection, transaction)
        {
            Parameters = { new() { Value = merchant.Value }, new() { Value = account.Value }, new() { Value = now } },
        };
        await verify.ExecuteNonQueryAsync(ct);
    }

    private static NpgsqlParameter Nullable(object? value, NpgsqlDbType type) => new() { Value = value ?? DBNull.Value, NpgsqlDbType = type };
}

/// <summary>Writes the audit entries of payouts and payout settings.</summary>
internal static class PayoutAudit
{
    public static Task WriteAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, MerchantId merchant, string actor, string action, string subject, string detail, DateTimeOffset now, CancellationToken ct)
    {
        var type = action.StartsWith("payout_", StringComparison.Ordinal) ? "payout" : "payout_settings";
        var name = action.StartsWith("payout_", StringComparison.Ordinal) ? action["payout_".Length..] : action;
        return AuditLog.WriteAsync(connection, transaction, new AuditEntry(new Actor(actor), $"{type}.{name}", type, subject, merchant, detail), now, ct);
    }
}
