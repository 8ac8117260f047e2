namespace Payments.Domain.Payouts;

/// <summary>
/// The rules that payouts keep at any time. Each query returns the rows that break its rule. A timer runs the queries in production, and
/// tests run them after every history.
/// </summary>
public static class PayoutInvariants
{
    /// <summary>Every rule by its name.</summary>
    public static IReadOnlyList<(string Name, string Sql)> All { get; } =
    [
        ("payout_is_the_sum_of_its_lines",
        """
        SELECT p.merchant_id, p.id, p.amount, sum(b.net) FILTER (WHERE b.type <> 'payout') AS lines, sum(b.net) AS all_lines
        FROM payments.payouts p
        LEFT JOIN payments.balance_lines b ON b.merchant_id = p.merchant_id AND b.batch_id = p.batch_id
        GROUP BY p.merchant_id, p.id, p.amount
        HAVING COALESCE(sum(b.net) FILTER (WHERE b.type <> 'payout'), 0) <> p.amount OR COALESCE(sum(b.net), 0) <> 0
        """),
        ("batch_is_open_or_in_one_payout",
        """
        SELECT DISTINCT b.merchant_id, b.batch_id, 'neither open nor in a payout' AS finding
        FROM payments.balance_transactions b
        LEFT JOIN payments.payouts p ON p.merchant_id = b.merchant_id AND p.batch_id = b.batch_id AND p.currency = b.currency
        LEFT JOIN payments.payout_settings s ON s.merchant_id = b.merchant_id AND s.currency = b.currency AND s.batch_id = b.batch_id
        WHERE b.batch_id IS NOT NULL AND p.id IS NULL AND s.batch_id IS NULL
        UNION ALL
        SELECT s.merchant_id, s.batch_id, 'open and in a payout'
        FROM payments.payout_settings s
        JOIN payments.payouts p ON p.merchant_id = s.merchant_id AND p.batch_id = s.batch_id
        """),
        ("reversed_payout_is_given_back_once",
        """
        SELECT p.merchant_id, p.id, p.status, count(b.id) AS given_back
        FROM payments.payouts p
        LEFT JOIN payments.balance_transactions b
            ON b.merchant_id = p.merchant_id AND b.type = 'payout_failure' AND b.source_id = 'po_' || replace(p.id::text, '-', '')
        GROUP BY p.merchant_id, p.id, p.status, p.amount
        HAVING count(b.id) <> CASE WHEN p.status IN ('failed', 'returned', 'canceled') THEN 1 ELSE 0 END OR COALESCE(sum(b.net), p.amount) <> p.amount
        """),
        ("in_transit_is_the_open_payouts",
        """
        WITH open AS (
            SELECT 'merchant/mer_' || replace(merchant_id::text, '-', '') || '/in_transit' AS name, currency, sum(amount) AS amount
            FROM payments.payouts WHERE status IN ('pending', 'in_transit') GROUP BY 1, 2
        ), held AS (
            SELECT a.name, a.currency, b.balance AS amount FROM ledger.accounts a JOIN ledger.balances b ON b.account_id = a.id
            WHERE a.name LIKE 'merchant/%/in\_transit'
        )
        SELECT COALESCE(o.name, h.name) AS name, o.amount AS open, h.amount AS ledger
        FROM open o FULL JOIN held h ON h.name = o.name AND h.currency = o.currency
        WHERE COALESCE(o.amount, 0) <> COALESCE(h.amount, 0)
        """),
        ("available_is_the_released_rows_in_no_payout", Balance("available", "released_at IS NOT NULL AND NOT EXISTS (SELECT FROM payments.payouts p WHERE p.merchant_id = b.merchant_id AND p.batch_id = b.batch_id)")),
        ("pending_is_the_unreleased_rows", Balance("pending", "released_at IS NULL AND type <> 'reserve_release'")),
        ("reserve_is_the_unreleased_reserves", Balance("reserve", "released_at IS NULL AND type = 'reserve_release'")),
    ];

    private static string Balance(string account, string rows) =>
        $"""
        WITH told AS (
            SELECT 'merchant/mer_' || replace(merchant_id::text, '-', '') || '/{account}' AS name, currency, sum(net) AS amount
            FROM payments.balance_transactions b WHERE {rows} GROUP BY 1, 2
        ), held AS (
            SELECT a.name, a.currency, b.balance AS amount FROM ledger.accounts a JOIN ledger.balances b ON b.account_id = a.id
            WHERE a.name LIKE 'merchant/%/{account}'
        )
        SELECT COALESCE(t.name, h.name) AS name, t.amount AS rows, h.amount AS ledger
        FROM told t FULL JOIN held h ON h.name = t.name AND h.currency = t.currency
        WHERE COALESCE(t.amount, 0) <> COALESCE(h.amount, 0)
        """;
}
