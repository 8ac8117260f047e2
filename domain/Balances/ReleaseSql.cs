namespace Payments.Domain.Balances;

internal static class ReleaseSql
{
    // Due by the calendar date of the currency's own zone. Rows that another instance is releasing are skipped, not waited for. They go into the open batch
    // of their merchant, which is locked until the commit: a payout that takes it meanwhile waits, or was first, and they go into the next one. In the
    // order of merchants, as a run locks them. Without settings there is no batch yet.
    public const string Release =
        """
        WITH due AS (
            SELECT merchant_id, id, currency FROM payments.balance_transactions
            WHERE released_at IS NULL AND available_on <= $1
              AND available_on <= CASE currency WHEN 'EUR' THEN $2 WHEN 'USD' THEN $3 ELSE $4 END
              AND merchant_id <> ALL ($5) AND ($8::uuid IS NULL OR merchant_id = $8)
            ORDER BY available_on, merchant_id, currency
            LIMIT $6
            FOR UPDATE SKIP LOCKED
        ), open AS (
            SELECT merchant_id, currency, batch_id FROM payments.payout_settings
            WHERE (merchant_id, currency) IN (SELECT merchant_id, currency FROM due)
            ORDER BY merchant_id, currency
            FOR NO KEY UPDATE
        ), released AS (
            UPDATE payments.balance_transactions b SET released_at = $7, batch_id = open.batch_id
            FROM due LEFT JOIN open ON open.merchant_id = due.merchant_id AND open.currency = due.currency
            WHERE b.merchant_id = due.merchant_id AND b.id = due.id
            RETURNING b.merchant_id, b.currency, b.net, b.type
        )
        SELECT merchant_id, currency, type = 'reserve_release', sum(net)::bigint, count(*)
        FROM released
        GROUP BY 1, 2, 3
        ORDER BY 1, 2, 3
        """;
}
