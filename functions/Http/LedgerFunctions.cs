using System.Globalization;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Payments.Domain;
using Payments.Domain.Database;
using Payments.Domain.Ledger;

namespace Payments.Functions.Http;

public sealed record LedgerAccountResource(string Object, string Name, string Currency, long Balance, long Version);

public sealed record StatementLineResource(
    string Object, long Journal, string Kind, string Code, string ExternalKey, string Other, long Change, long Balance, long Version, DateTimeOffset EffectiveAt, DateTimeOffset RecordedAt,
    string Cursor);

public sealed record TrialBalanceRow(string Account, string Currency, long Accounts, long Debit, long Credit);

/// <param name="Balanced">Whether the debits of every currency equal its credits.</param>
public sealed record TrialBalanceResource(string Object, bool Balanced, IReadOnlyList<TrialBalanceRow> Rows);

public sealed record JournalTransferResource(string Debit, string Credit, long Amount, string Currency, string Code, long DebitBalance, long CreditBalance);

public sealed record JournalResource(
    string Object, long Id, string Merchant, string ExternalKey, string Kind, DateTimeOffset EffectiveAt, DateTimeOffset RecordedAt, IReadOnlyList<JournalTransferResource> Transfers);

/// <summary>A link of the hash chain. A caller who keeps it can prove later that nothing up to it was altered.</summary>
public sealed record SealResource(string Object, long Number, long ToJournal, string Hash, DateTimeOffset SealedAt);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, Converters = [typeof(UtcTimeJson)])]
[JsonSerializable(typeof(LedgerAccountResource))]
[JsonSerializable(typeof(StatementLineResource))]
[JsonSerializable(typeof(TrialBalanceResource))]
[JsonSerializable(typeof(JournalResource))]
[JsonSerializable(typeof(SealResource))]
internal sealed partial class LedgerJson : JsonSerializerContext;

/// <summary>The ledger. Only for platform keys.</summary>
public sealed class LedgerFunctions(LedgerReads ledger, LedgerSealing sealing)
{
    [Function("ListLedgerAccounts")]
    public async Task<IResult> AccountsAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/ledger/accounts")] HttpRequest request, FunctionContext context, CancellationToken ct)
    {
        if (context.RequirePlatform() is { } forbidden)
            return Problems.Of(forbidden);
        var prefix = request.Query["prefix"].ToString();
        if (!Api.Limit(request).TryGet(out var limit, out var refusal)
            || !Api.Mode((string?)request.Query["mode"] ?? ModeOf(prefix)).TryGet(out var mode, out refusal))
        {
            return Problems.Of(refusal);
        }

        AccountRef? after = null;
        if (request.Query.TryGetValue("starting_after", out var cursor))
        {
            if (!Account(cursor).TryGet(out after, out refusal))
                return Problems.Of(refusal with { Param = "starting_after" });
        }

        var rows = await ledger.AccountsAsync(prefix, after, limit + 1, ct, mode);
        return Api.List(rows, limit, row => new LedgerAccountResource("ledger_account", row.Name, row.Currency, row.Balance, row.Version), LedgerJson.Default.LedgerAccountResource);
    }

    [Function("GetLedgerStatement")]
    public async Task<IResult> StatementAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/ledger/statement")] HttpRequest request, FunctionContext context, CancellationToken ct)
    {
        if (context.RequirePlatform() is { } forbidden)
            return Problems.Of(forbidden);
        if (!Api.Limit(request).TryGet(out var limit, out var refusal) || !Account($"{request.Query["account"]} {request.Query["currency"]}").TryGet(out var account, out refusal)
            || !Api.Time(request, "from").TryGet(out var from, out refusal) || !Api.Time(request, "to").TryGet(out var to, out refusal)
            || !Api.Mode(request).TryGet(out var mode, out refusal))
        {
            return Problems.Of(refusal);
        }

        try
        {
            var page = await ledger.StatementAsync(account, request.Query.TryGetValue("starting_after",
                out var cursor) ? cursor.ToString() : null, limit, from.At, to.At, ct, mode);
            var lines = page.Lines.Select(line => new StatementLineResource(
                "statement_line", line.JournalId, line.Kind, line.Code, line.ExternalKey, line.Other, line.Change, line.Balance, line.Version, line.EffectiveAt, line.RecordedAt, line.Cursor));
            return Api.List([.. lines], page.HasMore, line => line, LedgerJson.Default.StatementLineResource);
        }
        catch (FormatException)
        {
            return Problems.Of(Refusal.Invalid(
                "starting_after", "`starting_after` must be the cursor of the last line of the previous page."));
        }
    }

    [Function("GetTrialBalance")]
    public async Task<IResult> TrialBalanceAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/ledger/trial_balance")] HttpRequest request, FunctionContext context, CancellationToken ct)
    {
        if (context.RequirePlatform() is { } forbidden)
            return Problems.Of(forbidden);
        if (!Api.Mode(request).TryGet(out var mode, out var refusal))
            return Problems.Of(refusal);
        var rows = await ledger.TrialBalanceAsync(ct, mode);
        var balanced = rows.GroupBy(row => row.Currency, StringComparer.Ordinal).All(group => group.Sum(row => row.Debit) == group.Sum(row => row.Credit));
        return Api.Json(
            new TrialBalanceResource("trial_balance", balanced, [.. rows.Select(row => new TrialBalanceRow(row.Account, row.Currency, row.Accounts, row.Debit, row.Credit))]),
            LedgerJson.Default.TrialBalanceResource);
    }

    [Function("GetLedgerJournal")]
    public async Task<IResult> JournalAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/ledger/journals/{*key}")] HttpRequest request, string key, FunctionContext context, CancellationToken ct)
    {
        if (context.RequirePlatform() is { } forbidden)
            return Problems.Of(forbidden);
        return await ledger.JournalAsync(key, ct) is { } journal
            ? Api.Json(
                new JournalResource(
                    "journal", journal.Id, journal.Merchant.ToString(), journal.ExternalKey, journal.Kind, journal.EffectiveAt, journal.RecordedAt,
                    [.. journal.Transfers.Select(t => new JournalTransferResource(t.Debit, t.Credit, t.Amount, t.Currency, t.Code, t.DebitBalance, t.CreditBalance))]),
                LedgerJson.Default.JournalResource)
            : Problems.Of(Refusal.NotFound($"journal '{key}'"));
    }

    [Function("ListLedgerSeals")]
    public async Task<IResult> SealsAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/ledger/seals")] HttpRequest request, FunctionContext context, CancellationToken ct)
    {
        if (context.RequirePlatform() is { } forbidden)
            return Problems.Of(forbidden);
        if (!Api.Limit(request).TryGet(out var limit, out var refusal))
            return Problems.Of(refusal);
        var after = 0L;
        if (request.Query.TryGetValue("starting_after", out var text) && !long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out after))
        {
            return Problems.Of(Refusal.Invalid(
                "starting_after", "`starting_after` must be the number of the last seal of the previous page."));
        }

        var rows = await sealing.ListAsync(after, limit + 1, ct);
        return Api.List(rows, limit, row => new SealResource("ledger_seal", row.Number, row.ToJournal, row.Hash, row.SealedAt), LedgerJson.Default.SealResource);
    }

    /// <summary>The mode of the account in a prefix such as <c>merchant/mer_.../</c>. Null if the prefix names no account.</summary>
    private static string? ModeOf(string prefix) =>
        prefix.Split('/') is ["merchant", var id, ..] && PrefixedId.TryParse<MerchantId>(id,
            out var merchant) ? DbText.Of(merchant.Mode) : null;

    /// <summary>Reads an account from its text form: its name, a space, its currency.</summary>
    private static Result<AccountRef> Account(string? text)
    {
        var parts = (text ?? "").Split(' ');
        return parts is [{ Length: > 0 } name, var code] && Currency.TryParse(code, out var currency)
            ? new AccountRef(name, currency)
            : Refusal.Invalid("account", "Name an account of the chart and its currency, such as account=platform/fees&currency=EUR.");
    }
}
