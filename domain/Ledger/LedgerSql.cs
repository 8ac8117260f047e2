namespace Payments.Domain.Ledger;

internal static class LedgerSql
{
    public const string OpenAccounts = "SELECT ledger.open_accounts($1, $2, $3, $4, $5, $6, $7)";

    public const string Post = "SELECT statuses, journal_ids FROM ledger.post($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
}
