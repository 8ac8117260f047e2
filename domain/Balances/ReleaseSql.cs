namespace Payments.Domain.Balances;

internal static class ReleaseSql
{
    // A row is due by the calendar date of its currency's zone. Rows that another instance is releasing are skipped. Lock order: balance
    // transactions, then payout settings by (merchant, currency). A run locks settings in the same order of merchants. The rows go into the
    // open batch of their merchant. Its settings stay locked until the commit, so a payout that takes the batch at the same time waits. If
    // the payout was first, the rows go into the next batch. A merchant without settings has no batch yet.
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
