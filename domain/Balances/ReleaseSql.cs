namespace Payments.Domain.Balances;

internal static class ReleaseSql
{
    // Due by the calendar date of the currency's own zone. Rows that another instance is releasing are skipped, not waited for.
    public const string Release =
        """
        WITH due AS (
            SELECT merchant_id, id FROM payments.balance_transactions
            WHERE released_at IS NULL AND available_on <= $1
              AND available_on <= CASE currency WHEN 'EUR' THEN $2 WHEN 'USD' THEN $3 ELSE $4 END
              AND merchant_id <> ALL ($5)
            ORDER BY available_on, merchant_id, currency
            LIMIT $6
            FOR UPDATE SKIP LOCKED
        ), released AS (
            UPDATE payments.balance_transactions b SET released_at = $7
            FROM due
            WHERE b.merchant_id = due.merchant_id AND b.id = due.id
            RETURNING b.merchant_id, b.currency, b.net, b.type
        )
        SELECT merchant_id, currency, type = 'reserve_release', sum(net)::bigint, count(*)
        FROM released
        GROUP BY 1, 2, 3
        ORDER BY 1, 2, 3
        """;
}
