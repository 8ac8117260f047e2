using System.Text.Json;
using System.Text.Json.Serialization;
using Payments.Domain.Database;
using Payments.Domain.Messaging;

namespace Payments.Domain.Payouts;

/// <summary>A payout as the API, its events and its webhooks show it. The amount is in minor units of <see cref="Currency"/>.</summary>
/// <param name="Automatic">Whether a nightly run made the payout. False if the merchant requested it.</param>
/// <param name="ArrivalDate">The business day on which the bank is expected to credit it.</param>
public sealed record PayoutResource(
    string Id,
    string Object,
    string Merchant,
    string Status,
    long Amount,
    string Currency,
    string Method,
    bool Automatic,
    string BankAccount,
    DateOnly ArrivalDate,
    string? ProviderReference,
    string? FailureCode,
    string? FailureMessage,
    string? HoldCode,
    string? HoldMessage,
    DateTimeOffset CreatedAt,
    DateTimeOffset UpdatedAt)
{
    public static PayoutResource Of(Payout payout) => new(
        payout.Id.ToString(), "payout", payout.Merchant.ToString(), DbText.Of(payout.Status), payout.Amount.MinorUnits, payout.Amount.Currency.Code, DbText.Of(payout.Method),
        payout.IsAutomatic, payout.BankAccount.ToString(), payout.ArrivalDate, payout.ProviderReference, payout.FailureCode, payout.FailureMessage, payout.HoldCode, payout.HoldMessage,
        payout.CreatedAt, payout.UpdatedAt);

    public static string Json(Payout payout) => JsonSerializer.Serialize(Of(payout), PayoutJson.Default.PayoutResource);
}

internal static class PayoutEvents
{
    public static DomainEvent Of(string type, Payout payout, DateTimeOffset now) =>
        new(PrefixedId.New<EventId>(now), payout.Merchant, type, "payout", payout.Id.Value, PayoutResource.Json(payout), now);
}

/// <summary>One line of a payout's composition. All lines of a payout, including its own line, sum to zero.</summary>
public sealed record PayoutLineResource(
    string Id, string Object, string Type, string Source, string Currency, long Amount, long Fee, long Net, DateOnly AvailableOn, DateTimeOffset CreatedAt);

/// <summary>What the next run would pay a merchant, or why it would pay nothing. Amounts are minor units.</summary>
/// <param name="Date">The date of that run.</param>
/// <param name="Available">Money in no payout that is released when the run looks.</param>
/// <param name="Pending">Money that is not released by then. Null in a list of previews.</param>
/// <param name="Reason">
/// Null when the run pays. Otherwise the reason: <c>held</c>, <c>below_minimum</c>, <c>negative_balance</c>, ...
/// </param>
/// <param name="NextAvailableOn">If nothing is available: the date on which pending money makes the balance positive.</param>
public sealed record PayoutPreviewResource(
    string Object, string Merchant, string Currency, DateOnly Date, long Available, long? Pending, long Amount, long Reserved,
        long CarriedOver, string? Reason, string? HoldReason,
    DateTimeOffset? UsableFrom, DateOnly? NextAvailableOn);

/// <summary>What the next run of a currency would pay in total. Amounts are minor units.</summary>
/// <param name="LooksAt">The time at which the run looks at merchants. It is now if the run should have started already.</param>
/// <param name="Considered">How many merchants the run looks at.</param>
/// <param name="CarriedOver">What stays available to the merchants that the run pays.</param>
public sealed record PayoutRunPreviewResource(
    string Object, string Currency, DateOnly Date, DateTimeOffset LooksAt, long Considered, long Payouts, long Amount, long Reserved,
        long CarriedOver, IReadOnlyList<UnpaidResource> Unpaid);

/// <summary>The number of merchants that a run leaves unpaid for one reason, and the sum that they have available.</summary>
public sealed record UnpaidResource(string Reason, long Merchants, long Available);

public sealed record PayoutRunResource(
    string Id, string Object, string Mode, DateOnly Date, string Currency, string Rail, string Status, DateOnly ExecutionDate,
    long Considered, long Payouts, long Amount, long Refused, string StartedBy,
    DateTimeOffset StartedAt, DateTimeOffset? CreatedAt, DateTimeOffset? SubmittedAt)
{
    public static PayoutRunResource Of(PayoutRun run) => new(
        run.Id.ToString(), "payout_run", DbText.Of(run.Mode), run.Date, run.Currency.Code, DbText.Of(run.Rail), DbText.Of(run.Status),
        run.ExecutionDate, run.Considered, run.Payouts, run.Amount, run.Refused,
        run.StartedBy, run.StartedAt, run.CreatedAt, run.SubmittedAt);
}

/// <param name="Number">Counts from 1, in the order in which the files are written.</param>
/// <param name="Name">The file's name in the blob container <c>payout-files</c>.</param>
/// <param name="Uploaded">Whether the whole file is in the container.</param>
public sealed record PayoutFileResource(string Object, int Number, string Name, string Format, int Payouts, long Amount, DateOnly ExecutionDate, bool Uploaded);

public sealed record BankReportResource(string Object, string Id, int Results, int Applied, int Unmatched, bool Repeated)
{
    public static BankReportResource Of(BankReportSummary report) => new("bank_report", report.Id, report.Results, report.Applied, report.Unmatched, report.Repeated);
}

/// <summary>A bank's report that could not be applied, or a bank's file that was rejected.</summary>
/// <param name="Reason">An <c>UnmatchedReason</c>.</param>
/// <param name="Reference">The bank's reference, or the file's name if the file was rejected.</param>
public sealed record UnmatchedBankItemResource(
    string Id, string Object, string Reason, string Reference, string Detail, string File, string FileHash, string? Report, string? Payout, string? Merchant, string? PayoutFile, string? Said,
    string? Code, string? Text, long? Amount, string? Currency, int Times, DateTimeOffset CreatedAt, DateTimeOffset? AcknowledgedAt, string? AcknowledgedBy, string? AcknowledgedReason);

/// <param name="Reason">What the operator found out and did, in 10 to 1000 characters. The audit log keeps it.</param>
public sealed record AcknowledgeBankItemRequest(string? Reason);

/// <param name="Corrects">
/// The id of the account that this one corrects, after a notification of change from the receiving bank (NACHA <c>C01</c>).
/// </param>
public sealed record BankAccountResource(
    string Id, string Object, string Currency, string Kind, string HolderName, string Last4, string? Bic, string? RoutingNumber, string? AccountType, string Status, string? FailureCode, bool Verified,
    DateTimeOffset UsableFrom, PostalAddress? Address, PayeeCheckResource? PayeeCheck, bool? InstantReachable, string? Corrects,
    string? CorrectionCode)
{
    public static BankAccountResource Of(BankAccount account, Currency currency) => new(
        account.Id.ToString(), "bank_account", currency.Code, DbText.Of(account.Details.Kind), account.Details.HolderName,
        account.Details.Last4, account.Details.Bic, account.Details.RoutingNumber,
        account.Details.Kind == BankAccountKind.Us ? DbText.Of(account.Details.AccountType) : null, DbText.Of(account.State),
        account.FailureCode, account.Verified, account.UsableFrom, account.Details.Address,
        account.Payee is { } payee
            ? new PayeeCheckResource(DbText.Of(payee.Result), payee.CheckedAt, payee.SuggestedName, payee.Accepted)
            : null,
        account.InstantReachable, account.Corrects?.ToString(), account.CorrectionCode);
}

/// <summary>What the bank answered about the holder of an account.</summary>
/// <param name="SuggestedName">The holder's name as the bank gives it after a close match.</param>
/// <param name="Accepted">Whether the platform verified the account after it saw the result.</param>
public sealed record PayeeCheckResource(string Result, DateTimeOffset CheckedAt, string? SuggestedName, bool Accepted);

public sealed record PayoutScheduleResource(string Interval, string? Weekday, int? MonthDay);

public sealed record PayoutReserveResource(int BasisPoints, int Days, long Fixed);

public sealed record PayoutSettingsResource(
    string Object, string Currency, PayoutScheduleResource Schedule, int? DelayDays, long Minimum, long? Maximum, PayoutReserveResource Reserve, string? HoldReason, DateOnly? NextOn,
    BankAccountResource? BankAccount);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, Converters = [typeof(UtcTimeJson)])]
[JsonSerializable(typeof(PayoutResource))]
[JsonSerializable(typeof(PayoutLineResource))]
[JsonSerializable(typeof(PayoutPreviewResource))]
[JsonSerializable(typeof(PayoutRunResource))]
[JsonSerializable(typeof(PayoutRunPreviewResource))]
[JsonSerializable(typeof(PayoutSettingsResource))]
[JsonSerializable(typeof(BankAccountResource))]
[JsonSerializable(typeof(PayoutSubmission))]
[JsonSerializable(typeof(PostalAddress))]
[JsonSerializable(typeof(PayoutSettingsRequest))]
[JsonSerializable(typeof(BankAccountRequest))]
[JsonSerializable(typeof(HoldPayoutsRequest))]
[JsonSerializable(typeof(CreatePayoutRequest))]
[JsonSerializable(typeof(CancelPayoutRequest))]
[JsonSerializable(typeof(StartPayoutRunRequest))]
[JsonSerializable(typeof(BankReportResource))]
[JsonSerializable(typeof(PayoutFileResource))]
[JsonSerializable(typeof(UnmatchedBankItemResource))]
[JsonSerializable(typeof(AcknowledgeBankItemRequest))]
public sealed partial class PayoutJson : JsonSerializerContext;
