namespace Payments.Domain.Balances;

internal static class BalanceSql
{
    public const string Append =
        """
        INSERT INTO payments.balance_transactions
            (merchant_id, id, type, source_id, journal_key, currency, amount, fee, net, available_on, released_at, payout_id, created_at)
        SELECT merchant_id, id, type, source_id, journal_key, currency, amount, fee, amount - fee, available_on, released_at, batch_id, created_at
        FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
            AS t (merchant_id, id, type, source_id, journal_key, currency, amount, fee, available_on, released_at, batch_id, created_at)
        """;

    /// <summary>The head of every list of balance transactions; <see cref="Database.ListQuery"/> adds the filters that are given.</summary>
    public const string List =
        """
        SELECT b.id, b.type, b.source_id, b.currency, b.amount, b.fee, b.net, b.released_at IS NOT NULL, b.available_on,
            (SELECT p.id FROM payments.payouts p WHERE p.merchant_id = b.merchant_id AND p.batch_id = b.batch_id), b.created_at
        FROM payments.balance_lines b
        """;
}
