using System.Globalization;
using Dapper;
using Npgsql;
using Payments.Domain.Database;

namespace Payments.Domain.Ledger;

/// <summary>An account with its balance now. Its stripes are added up.</summary>
/// <param name="Version">The number of transfers of the account.</param>
public sealed record AccountBalance(string Name, string Currency, long Balance, long Version)
{
    public AccountRef Account => new(Name, Domain.Currency.Of(Currency));

    public Money Money => new(Balance, Domain.Currency.Of(Currency));
}

/// <summary>One side of one transfer, seen from an account.</summary>
/// <param name="Bucket">The stripe, for an account that has several.</param>
/// <param name="Version">The number of the transfer in the account, or in the stripe. It counts from 1, without gaps.</param>
/// <param name="Change">What the transfer did to the balance, in minor units.</param>
/// <param name="Balance">The balance after the transfer, of the stripe if the account has several.</param>
/// <param name="Other">The account on the other side.</param>
public sealed record StatementLine(
    short Bucket,
    long Version,
    long JournalId,
    short Line,
    string ExternalKey,
    string Kind,
    string Code,
    string Other,
    long Change,
    long Balance,
    DateTimeOffset EffectiveAt,
    DateTimeOffset RecordedAt)
{
    /// <summary>The cursor that asks for the page after this line.</summary>
    public string Cursor => string.Create(CultureInfo.InvariantCulture, $"{Bucket}.{Version}");
}

/// <param name="HasMore">Whether there are older lines. The cursor of the last line asks for them.</param>
public sealed record StatementPage(IReadOnlyList<StatementLine> Lines, bool HasMore);

/// <summary>One row of the trial balance: an account of the platform, or the same account of all merchants.</summary>
/// <param name="Debit">
/// The balance if debits exceed credits, otherwise 0. In each currency the debits of all rows equal the credits.
/// </param>
public sealed record TrialBalanceLine(string Account, string Currency, long Accounts, long Debit, long Credit);

/// <summary>A transfer as it was posted.</summary>
public sealed record PostedTransfer(short Line, string Debit, string Credit, string Currency, long Amount, string Code, long DebitBalance, long CreditBalance);

/// <summary>A journal as it was posted.</summary>
public sealed record PostedJournal(
    long Id, MerchantId Merchant, string ExternalKey, string Kind, DateTimeOffset EffectiveAt, DateTimeOffset RecordedAt, IReadOnlyList<PostedTransfer> Transfers);

/// <summary>
/// Reads the ledger. No read costs more as history grows: balances are stored, and histories are read through indexes, a page at a time.
/// Times are the times of recording. A merchant's account has one mode. Of the platform's accounts and of lists, only the stripes of the
/// given mode are read.
/// </summary>
public sealed class LedgerReads(NpgsqlDataSource dataSource)
{
    /// <summary>The balance now; zero for an account that was never used.</summary>
    public async Task<Money> BalanceAsync(AccountRef account, CancellationToken ct, Mode mode = Mode.Live)
    {
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        return new Money(await connection.ExecuteScalarAsync<long>(Command(LedgerSql.Balance, account, mode, ct)), account.Currency);
    }

    /// <summary>The balance with everything recorded at or before the time, UTC.</summary>
    public async Task<Money> BalanceAtAsync(AccountRef account, DateTimeOffset at, CancellationToken ct, Mode mode = Mode.Live)
    {
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        var balance = await connection.ExecuteScalarAsync<long>(
            new CommandDefinition(LedgerSql.BalanceAt, new
            {
                name = account.Name,
                currency = account.Currency,
                at,
                mode = DbText.Of(mode)
            }, cancellationToken: ct));
        return new Money(balance, account.Currency);
    }

    /// <summary>
    /// Accounts whose names begin with the prefix, sorted by name. <paramref name="after"/> is the last account of the page before.
    /// </summary>
    public async Task<IReadOnlyList<AccountBalance>> AccountsAsync(
        string prefix, AccountRef? after, int limit, CancellationToken ct, Mode mode = Mode.Live)
    {
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        return (await connection.QueryAsync<AccountBalance>(new CommandDefinition(
            LedgerSql.Accounts,
            new
            {
                prefix,
                upTo = prefix + '\x7f',
                afterName = after?.Name ?? "",
                afterCurrency = after?.Currency.Code ?? "",
                limit,
                mode = DbText.Of(mode)
            },
            cancellationToken: ct))).AsList();
    }

    /// <summary>
    /// The account's transfers, newest first. The stripes of a platform account follow one another, each with its own running balance.
    /// </summary>
    /// <param name="startingAfter">The cursor of the last line of the page before, or null for the first page.</param>
    /// <param name="from">Only what was recorded after this time.</param>
    /// <param name="to">Only what was recorded at or before this time.</param>
    /// <exception cref="FormatException">The cursor does not come from a statement.</exception>
    public async Task<StatementPage> StatementAsync(
        AccountRef account, string? startingAfter, int limit, DateTimeOffset? from, DateTimeOffset? to, CancellationToken ct,
        Mode mode = Mode.Live)
    {
        var (bucket, version) = startingAfter is null ? ((short)0, long.MaxValue) : ParseCursor(startingAfter);
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        var stripes = (await connection.QueryAsync<(int Id, short Bucket, long After, long UpTo)>(new CommandDefinition(
            LedgerSql.Stripes, new { name = account.Name, currency = account.Currency, bucket, from, to, mode = DbText.Of(mode) },
            cancellationToken: ct))).AsList();

        var lines = new List<StatementLine>();
        foreach (var stripe in stripes)
        {
            // The version in the cursor belongs to the stripe that the page before ended in.
            var before = stripe.Bucket == bucket && startingAfter is not null ? Math.Min(version, stripe.UpTo + 1) : stripe.UpTo + 1;
            lines.AddRange(await connection.QueryAsync<StatementLine>(new CommandDefinition(
                LedgerSql.Statement,
                new { account = stripe.Id, bucket = stripe.Bucket, after = stripe.After, before, limit = limit + 1 - lines.Count },
                cancellationToken: ct)));
            if (lines.Count > limit)
                return new StatementPage(lines[..limit], HasMore: true);
        }

        return new StatementPage(lines, HasMore: false);
    }

    /// <summary>
    /// The balances of all accounts. Merchants' accounts are added up by purpose. The cost grows with the number of accounts, not with
    /// their history.
    /// </summary>
    public async Task<IReadOnlyList<TrialBalanceLine>> TrialBalanceAsync(CancellationToken ct, Mode mode = Mode.Live)
    {
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        var lines = await connection.QueryAsync<TrialBalanceLine>(
            new CommandDefinition(LedgerSql.TrialBalance, new { mode = DbText.Of(mode) }, commandTimeout: 300, cancellationToken: ct));
        return lines.AsList();
    }

    /// <summary>The journal that was posted under the external key, or null.</summary>
    public async Task<PostedJournal?> JournalAsync(string externalKey, CancellationToken ct)
    {
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        var head = await connection.QueryFirstOrDefaultAsync<JournalHead>(new CommandDefinition(LedgerSql.JournalByKey, new { externalKey }, cancellationToken: ct));
        if (head is null)
            return null;
        var transfers = await connection.QueryAsync<PostedTransfer>(
            new CommandDefinition(LedgerSql.TransfersOfJournal, new { head.JournalId, head.Bucket }, cancellationToken: ct));
        return new PostedJournal(head.JournalId, head.MerchantId, head.ExternalKey, head.Kind, head.EffectiveAt, head.RecordedAt, transfers.AsList());
    }

    private static (short Bucket, long Version) ParseCursor(string cursor)
    {
        var dot = cursor.IndexOf('.', StringComparison.Ordinal);
        return dot > 0
            && short.TryParse(cursor.AsSpan(0, dot), NumberStyles.None, CultureInfo.InvariantCulture, out var bucket)
            && long.TryParse(cursor.AsSpan(dot + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var version)
            ? (bucket, version)
            : throw new FormatException($"'{cursor}' is no cursor of a statement.");
    }

    private static CommandDefinition Command(string sql, AccountRef account, Mode mode, CancellationToken ct) =>
        new(sql, new { name = account.Name, currency = account.Currency, mode = DbText.Of(mode) }, cancellationToken: ct);

    private sealed record JournalHead(
        long JournalId, short Bucket, MerchantId MerchantId, string Kind, string ExternalKey, DateTimeOffset EffectiveAt, DateTimeOffset RecordedAt);
}
