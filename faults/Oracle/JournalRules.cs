using Payments.Domain.Payouts;

namespace Payments.Faults;

/// <summary>
/// Compare every object with the journals that were posted for it, and every journal with its object. Each effect has exactly one journal,
/// with its amount, and no journal is unexplained. The rules hold at any time, because state and journal change in one transaction.
/// </summary>
internal static class JournalRules
{
    /// <summary>
    /// One row for each journal of one snapshot: the object that it was posted for (<c>subject</c>), and what it moved in and out of the
    /// merchant's accounts.
    /// </summary>
    public const string Prepare =
        """
        CREATE TEMP TABLE journals ON COMMIT DROP AS
        WITH lines AS (
            SELECT t.journal_id, t.external_key, t.kind, t.merchant_id, t.code, t.amount, d.currency, d.name AS debit, c.name AS credit,
                CASE WHEN d.merchant_id IS NOT NULL THEN split_part(d.name, '/', 3) ELSE split_part(d.name, '/', 1) END AS from_part,
                CASE WHEN c.merchant_id IS NOT NULL THEN split_part(c.name, '/', 3) ELSE split_part(c.name, '/', 1) END AS to_part,
                COALESCE(d.merchant_id, c.merchant_id) AS of_merchant,
                d.merchant_id <> c.merchant_id AS crosses
            FROM ledger.transfers t
            JOIN ledger.accounts d ON d.id = t.debit_account
            JOIN ledger.accounts c ON c.id = t.credit_account
        ), summed AS (
            SELECT journal_id, max(external_key) AS key, max(kind) AS kind, max(merchant_id::text)::uuid AS merchant_id,
                max(currency) FILTER (WHERE of_merchant IS NOT NULL) AS currency,
                min(of_merchant::text)::uuid AS lowest_merchant, max(of_merchant::text)::uuid AS highest_merchant, bool_or(crosses) AS crosses,
                COALESCE(sum(amount) FILTER (WHERE code = 'capture'), 0) AS captured,
                COALESCE(sum(amount) FILTER (WHERE code = 'fee'), 0) AS fee,
                COALESCE(sum(amount) FILTER (WHERE code = 'refund'), 0) AS refunded,
                COALESCE(sum(amount) FILTER (WHERE code = 'fee_refund'), 0) AS fee_refunded,
                COALESCE(sum(amount) FILTER (WHERE code = 'refund_failure'), 0) AS taken_back,
                COALESCE(sum(amount) FILTER (WHERE to_part = 'pending'), 0) - COALESCE(sum(amount) FILTER (WHERE from_part = 'pending'), 0) AS pending,
                COALESCE(sum(amount) FILTER (WHERE to_part = 'available'), 0) - COALESCE(sum(amount) FILTER (WHERE from_part = 'available'), 0) AS available,
                COALESCE(sum(amount) FILTER (WHERE to_part = 'disputed'), 0) - COALESCE(sum(amount) FILTER (WHERE from_part = 'disputed'), 0) AS disputed,
                COALESCE(sum(amount) FILTER (WHERE to_part = 'in_transit'), 0) - COALESCE(sum(amount) FILTER (WHERE from_part = 'in_transit'), 0) AS in_transit,
                COALESCE(sum(amount) FILTER (WHERE to_part = 'processor'), 0) - COALESCE(sum(amount) FILTER (WHERE from_part = 'processor'), 0) AS to_processor,
                COALESCE(sum(amount) FILTER (WHERE credit = 'platform/fees'), 0) - COALESCE(sum(amount) FILTER (WHERE debit = 'platform/fees'), 0) AS to_fees
            FROM lines
            GROUP BY journal_id
        )
        SELECT *,
            CASE
                WHEN kind = 'capture' THEN substring(key FROM '^capture:att_([0-9a-f]{32})$')
                WHEN kind = 'refund' THEN substring(key FROM '^refund:re_([0-9a-f]{32})$')
                WHEN kind = 'refund_failure' THEN substring(key FROM '^refund_failure:re_([0-9a-f]{32})$')
                WHEN kind LIKE 'dispute\_%' THEN substring(key FROM '^dp_([0-9a-f]{32}):[0-9]+$')
                WHEN kind LIKE 'payout\_%' THEN substring(key FROM '^payout/po_([0-9a-f]{32})/[a-z]+$')
                WHEN kind = 'funds_released' THEN substring(key FROM '^release/([0-9a-f]{32})$')
            END::uuid AS subject
        FROM summed;
        CREATE INDEX ON journals (subject);
        ANALYZE journals;
        """;

    private const string State = "state_against_journals";
    private const string Conservation = "conservation";

    public static IReadOnlyList<Rule> All { get; } =
    [
        new(State, "a journal is posted for something", "SELECT journal_id, key, kind FROM journals WHERE subject IS NULL"),
        new(State, "a journal moves one merchant's money",
            "SELECT journal_id, key, merchant_id, lowest_merchant, highest_merchant FROM journals WHERE crosses OR lowest_merchant <> merchant_id OR highest_merchant <> merchant_id"),
        new(State, "what was captured is posted once, and what is posted was captured",
            """
            WITH done AS (
                SELECT a.merchant_id, a.id, a.charge_id, a.amount
                FROM payments.attempts a
                JOIN payments.charges c ON c.merchant_id = a.merchant_id AND c.id = a.charge_id
                WHERE a.status = 'succeeded' AND (a.operation = 'capture' OR (a.operation = 'charge' AND c.capture_method = 'automatic'))
            )
            SELECT COALESCE(d.merchant_id, j.merchant_id) AS merchant, COALESCE(d.id, j.subject) AS attempt, d.charge_id AS charge, d.amount AS captured, j.captured AS posted, j.key
            FROM done d
            FULL JOIN (SELECT * FROM journals WHERE kind = 'capture') j ON j.subject = d.id AND j.merchant_id = d.merchant_id
            WHERE d.amount IS DISTINCT FROM j.captured
            """),
        new(State, "a refund that succeeded is posted once, one that failed afterwards is posted back once",
            """
            SELECT COALESCE(r.merchant_id, j.merchant_id, b.merchant_id) AS merchant, COALESCE(r.id, j.subject, b.subject) AS refund, r.charge_id AS charge, r.status, r.amount, j.refunded AS posted, b.taken_back AS posted_back
            FROM payments.refunds r
            FULL JOIN (SELECT * FROM journals WHERE kind = 'refund') j ON j.subject = r.id AND j.merchant_id = r.merchant_id
            FULL JOIN (SELECT * FROM journals WHERE kind = 'refund_failure') b ON b.subject = COALESCE(r.id, j.subject) AND b.merchant_id = COALESCE(r.merchant_id, j.merchant_id)
            WHERE r.id IS NULL
                OR COALESCE(j.refunded, 0) <> CASE WHEN r.status = 'succeeded' OR b.subject IS NOT NULL THEN r.amount ELSE 0 END
                OR COALESCE(b.taken_back, 0) <> CASE WHEN r.status = 'failed' AND j.subject IS NOT NULL THEN r.amount ELSE 0 END
            """),
        new(State, "a charge's amounts are those of its captures, cancels and refunds",
            """
            WITH posted AS (
                SELECT a.merchant_id, a.charge_id, sum(j.captured) AS captured, sum(j.fee) AS fee
                FROM journals j JOIN payments.attempts a ON a.merchant_id = j.merchant_id AND a.id = j.subject
                WHERE j.kind = 'capture'
                GROUP BY 1, 2
            ), refunds AS (
                SELECT r.merchant_id, r.charge_id,
                    COALESCE(sum(r.amount) FILTER (WHERE r.status = 'succeeded'), 0) AS refunded,
                    COALESCE(sum(r.amount) FILTER (WHERE r.status IN ('pending', 'processing')), 0) AS refunding,
                    sum(r.fee_returned_amount) AS fee_returned
                FROM payments.refunds r
                GROUP BY 1, 2
            ), open AS (
                SELECT merchant_id, charge_id,
                    COALESCE(sum(amount) FILTER (WHERE operation = 'capture'), 0) AS capturing,
                    COALESCE(sum(amount) FILTER (WHERE operation = 'cancel'), 0) + COALESCE(sum(released_amount) FILTER (WHERE operation = 'capture'), 0) AS canceling
                FROM payments.attempts
                WHERE status IN ('started', 'unknown', 'requires_action', 'pending')
                GROUP BY 1, 2
            )
            SELECT c.merchant_id AS merchant, c.id AS charge, c.status, c.captured_amount, p.captured, c.fee_amount, p.fee, c.refunded_amount, r.refunded, c.refunding_amount, r.refunding,
                c.fee_returned_amount, r.fee_returned, c.capturing_amount, o.capturing, c.canceling_amount, o.canceling
            FROM payments.charges c
            LEFT JOIN posted p ON p.merchant_id = c.merchant_id AND p.charge_id = c.id
            LEFT JOIN refunds r ON r.merchant_id = c.merchant_id AND r.charge_id = c.id
            LEFT JOIN open o ON o.merchant_id = c.merchant_id AND o.charge_id = c.id
            WHERE c.captured_amount <> COALESCE(p.captured, 0) OR c.fee_amount <> COALESCE(p.fee, 0)
                OR c.refunded_amount <> COALESCE(r.refunded, 0) OR c.refunding_amount <> COALESCE(r.refunding, 0) OR c.fee_returned_amount <> COALESCE(r.fee_returned, 0)
                OR c.capturing_amount <> COALESCE(o.capturing, 0) OR c.canceling_amount <> COALESCE(o.canceling, 0)
            """),
        new(State, "a charge's status says what its amounts say",
            """
            SELECT merchant_id AS merchant, id AS charge, status, amount, authorized_amount, captured_amount, canceled_amount
            FROM payments.charges
            WHERE NOT CASE status
                WHEN 'pending' THEN authorized_amount = 0 AND captured_amount = 0
                WHEN 'processing' THEN authorized_amount = 0 AND captured_amount = 0
                WHEN 'requires_action' THEN authorized_amount = 0 AND captured_amount = 0
                WHEN 'declined' THEN authorized_amount = 0 AND captured_amount = 0
                WHEN 'authorized' THEN authorized_amount = amount AND captured_amount = 0 AND canceled_amount < amount
                WHEN 'partially_captured' THEN authorized_amount = amount AND captured_amount > 0 AND captured_amount + canceled_amount < amount
                WHEN 'captured' THEN authorized_amount = amount AND captured_amount > 0 AND captured_amount + canceled_amount = amount
                ELSE captured_amount = 0
            END
            """),
        new(State, "a charge stands where its last attempt does, and a refund where its only one does",
            """
            WITH last AS (
                SELECT DISTINCT ON (merchant_id, charge_id) merchant_id, charge_id, id, status FROM payments.all_attempts WHERE operation = 'charge' ORDER BY merchant_id, charge_id, id DESC
            )
            SELECT c.merchant_id AS merchant, c.id AS object, c.status, l.id AS attempt, l.status AS attempt_status
            FROM payments.charges c
            LEFT JOIN last l ON l.merchant_id = c.merchant_id AND l.charge_id = c.id
            WHERE NOT COALESCE(CASE c.status
                WHEN 'pending' THEN l.status IN ('started', 'unknown', 'pending')
                WHEN 'processing' THEN l.status IN ('unknown', 'pending')
                WHEN 'requires_action' THEN l.status = 'requires_action'
                WHEN 'authorized' THEN l.status = 'succeeded'
                WHEN 'partially_captured' THEN l.status = 'succeeded'
                WHEN 'captured' THEN l.status = 'succeeded'
                WHEN 'declined' THEN l.status IN ('declined', 'failed')
                ELSE l.status IS NOT NULL
            END, false)
            UNION ALL
            SELECT r.merchant_id, r.id, r.status, a.id, a.status
            FROM payments.refunds r
            LEFT JOIN payments.attempts a ON a.merchant_id = r.merchant_id AND a.refund_id = r.id
            WHERE NOT COALESCE(CASE r.status
                WHEN 'succeeded' THEN a.status = 'succeeded'
                WHEN 'failed' THEN a.status IN ('declined', 'failed')
                ELSE a.status IN ('started', 'unknown', 'pending')
            END, false)
            """),
        new(State, "an attempt that is open will be asked about",
            """
            SELECT merchant_id AS merchant, id AS attempt, operation, status, next_check_at
            FROM payments.all_attempts
            WHERE (status IN ('succeeded', 'declined', 'failed')) <> (next_check_at IS NULL) OR (status IN ('succeeded', 'declined', 'failed')) <> (finished_at IS NOT NULL)
            """),
        new(State, "an idempotency key stands for one thing",
            """
            SELECT merchant_id AS merchant, idempotency_key, array_agg(DISTINCT operation) AS operations, array_agg(DISTINCT charge_id) AS charges, count(*) AS attempts
            FROM payments.all_attempts
            WHERE idempotency_key IS NOT NULL
            GROUP BY 1, 2
            HAVING count(DISTINCT charge_id) > 1 OR count(DISTINCT operation) > 1 OR (count(*) > 1 AND min(operation) <> 'charge')
            """),
        new(State, "what stands in the ledger for a dispute is what it says",
            """
            WITH posted AS (
                SELECT merchant_id, subject, sum(disputed) AS disputed, sum(available) AS available, sum(to_processor) AS to_processor, sum(to_fees) AS fee, count(*) AS journals,
                    max(split_part(key, ':', 2)::integer) AS highest
                FROM journals WHERE kind LIKE 'dispute\_%' GROUP BY 1, 2
            )
            SELECT COALESCE(d.merchant_id, p.merchant_id) AS merchant, COALESCE(d.id, p.subject) AS dispute, d.stage, d.status, d.posted_disputed, p.disputed, d.posted_taken, d.posted_taken_at_processor,
                p.to_processor, d.posted_fee, p.fee, p.available, d.journals, p.journals AS journals_posted, p.highest
            FROM payments.disputes d
            FULL JOIN posted p ON p.merchant_id = d.merchant_id AND p.subject = d.id
            WHERE d.id IS NULL OR d.posted_disputed <> COALESCE(p.disputed, 0) OR d.posted_disputed + d.posted_taken + d.posted_fee <> -COALESCE(p.available, 0)
                OR d.posted_fee <> COALESCE(p.fee, 0) OR (d.currency = d.charge_currency AND d.posted_taken_at_processor <> COALESCE(p.to_processor, 0))
                OR d.journals <> COALESCE(p.journals, 0) OR COALESCE(p.journals, 0) <> COALESCE(p.highest, 0)
            """),
        new(State, "each step of a payout is posted once, of its amount",
            """
            WITH posted AS (
                SELECT merchant_id, subject,
                    COALESCE(sum(in_transit) FILTER (WHERE kind = 'payout_created'), 0) AS created,
                    COALESCE(-sum(in_transit) FILTER (WHERE kind = 'payout_paid'), 0) AS paid,
                    COALESCE(sum(available) FILTER (WHERE kind = 'payout_failed'), 0) AS failed,
                    COALESCE(sum(available) FILTER (WHERE kind = 'payout_canceled'), 0) AS canceled,
                    COALESCE(sum(available) FILTER (WHERE kind = 'payout_returned'), 0) AS returned,
                    sum(in_transit) AS in_transit
                FROM journals WHERE kind LIKE 'payout\_%' GROUP BY 1, 2
            )
            SELECT COALESCE(o.merchant_id, p.merchant_id) AS merchant, COALESCE(o.id, p.subject) AS payout, o.status, o.amount, p.created, p.paid, p.failed, p.canceled, p.returned, p.in_transit
            FROM payments.payouts o
            FULL JOIN posted p ON p.merchant_id = o.merchant_id AND p.subject = o.id
            WHERE o.id IS NULL OR p.subject IS NULL OR p.created <> o.amount
                OR p.failed <> CASE o.status WHEN 'failed' THEN o.amount ELSE 0 END
                OR p.canceled <> CASE o.status WHEN 'canceled' THEN o.amount ELSE 0 END
                OR p.returned <> CASE o.status WHEN 'returned' THEN o.amount ELSE 0 END
                OR p.in_transit <> CASE WHEN o.status IN ('pending', 'in_transit') THEN o.amount ELSE 0 END
                OR NOT CASE o.status WHEN 'paid' THEN p.paid = o.amount WHEN 'returned' THEN p.paid IN (0, o.amount) ELSE p.paid = 0 END
            """),
        new(State, "each change of a merchant's balance has its row, and each row its journal",
            """
            WITH told AS (
                SELECT merchant_id, currency, CASE type WHEN 'reserve' THEN 'payout/' || source_id || '/created' ELSE journal_key END AS key, sum(net) AS net
                FROM (
                    SELECT merchant_id, currency, type, source_id, journal_key, net FROM payments.balance_transactions
                    UNION ALL
                    -- A payout is its own line.
                    SELECT merchant_id, currency, 'payout', NULL, 'payout/po_' || replace(id::text, '-', '') || '/created', -amount FROM payments.payouts WHERE batch_id <> id
                ) lines
                WHERE type NOT IN ('adjustment', 'reserve_release')
                GROUP BY 1, 2, 3
            ), moved AS (
                SELECT merchant_id, currency, key, pending + available AS net FROM journals WHERE kind <> 'funds_released' AND pending + available <> 0
            )
            SELECT COALESCE(t.merchant_id, m.merchant_id) AS merchant, COALESCE(t.key, m.key) AS key, COALESCE(t.currency, m.currency) AS currency, t.net AS told, m.net AS moved
            FROM told t
            FULL JOIN moved m ON m.merchant_id = t.merchant_id AND m.currency = t.currency AND m.key = t.key
            WHERE COALESCE(t.net, 0) <> COALESCE(m.net, 0)
            """),
        new("events", "an object's events are counted without a gap",
            """
            SELECT merchant_id AS merchant, object_type, object_id AS object, count(*) AS events, max(sequence) AS highest
            FROM payments.events GROUP BY 1, 2, 3 HAVING count(*) <> max(sequence)
            """),
        new("events", "each capture, refund and payout has told of itself once",
            """
            WITH happened AS (
                SELECT j.merchant_id, a.charge_id AS object, 'charge.captured' AS type, count(*) AS times
                FROM journals j JOIN payments.attempts a ON a.merchant_id = j.merchant_id AND a.id = j.subject WHERE j.kind = 'capture' GROUP BY 1, 2
                UNION ALL
                SELECT merchant_id, subject, 'refund.succeeded', count(*) FROM journals WHERE kind = 'refund' GROUP BY 1, 2
                UNION ALL
                SELECT merchant_id, id, 'refund.failed', 1 FROM payments.refunds WHERE status = 'failed'
                UNION ALL
                SELECT merchant_id, subject, replace(kind, '_', '.'), count(*) FROM journals WHERE kind LIKE 'payout\_%' GROUP BY 1, 2, 3
                UNION ALL
                SELECT merchant_id, id, 'dispute.created', 1 FROM payments.disputes
            ), told AS (
                SELECT merchant_id, object_id AS object, type, count(*) AS times FROM payments.events
                WHERE type IN ('charge.captured', 'refund.succeeded', 'refund.failed', 'payout.created', 'payout.paid', 'payout.failed', 'payout.canceled', 'payout.returned', 'dispute.created')
                GROUP BY 1, 2, 3
            )
            SELECT COALESCE(h.merchant_id, t.merchant_id) AS merchant, COALESCE(h.object, t.object) AS object, COALESCE(h.type, t.type) AS type, h.times AS happened, t.times AS told
            FROM happened h FULL JOIN told t ON t.merchant_id = h.merchant_id AND t.object = h.object AND t.type = h.type
            WHERE h.times IS DISTINCT FROM t.times
            """),
        new(Conservation, "a merchant's rows add up to its balances",
            """
            WITH rows AS (
                SELECT 'merchant/mer_' || replace(merchant_id::text, '-', '') AS owner, currency, sum(net) AS net FROM payments.balance_lines GROUP BY 1, 2
            ), held AS (
                SELECT split_part(a.name, '/', 1) || '/' || split_part(a.name, '/', 2) AS owner, a.currency, sum(b.balance) AS balance
                FROM ledger.accounts a JOIN ledger.balances b ON b.account_id = a.id
                WHERE a.name ~ '^merchant/.*/(pending|available|reserve)$' GROUP BY 1, 2
            )
            SELECT COALESCE(r.owner, h.owner) AS owner, COALESCE(r.currency, h.currency) AS currency, r.net AS rows, h.balance AS ledger
            FROM rows r FULL JOIN held h ON h.owner = r.owner AND h.currency = r.currency
            WHERE COALESCE(r.net, 0) <> COALESCE(h.balance, 0)
            """),
        new(Conservation, "what a merchant is without by open disputes is held for them",
            """
            WITH posted AS (
                SELECT 'merchant/mer_' || replace(merchant_id::text, '-', '') || '/disputed' AS name, charge_currency AS currency, sum(posted_disputed) AS disputed FROM payments.disputes GROUP BY 1, 2
            ), held AS (
                SELECT a.name, a.currency, b.balance FROM ledger.accounts a JOIN ledger.balances b ON b.account_id = a.id WHERE a.name LIKE 'merchant/%/disputed'
            )
            SELECT COALESCE(p.name, h.name) AS name, p.disputed, h.balance AS ledger
            FROM posted p FULL JOIN held h ON h.name = p.name AND h.currency = p.currency
            WHERE COALESCE(p.disputed, 0) <> COALESCE(h.balance, 0)
            """),
        new(Conservation, "a processor owes what was captured, less what was refunded and taken by disputes",
            """
            WITH owed AS (
                SELECT name, currency, sum(amount) AS amount FROM (
                    SELECT 'processor/' || provider || '/clearing' AS name, currency, sum(captured_amount - refunded_amount) AS amount FROM payments.charges GROUP BY 1, 2
                    UNION ALL
                    SELECT 'processor/' || provider || '/clearing', currency, -sum(posted_taken_at_processor) FROM payments.disputes GROUP BY 1, 2
                ) x GROUP BY 1, 2
            ), held AS (
                SELECT a.name, a.currency, sum(b.balance) AS balance FROM ledger.accounts a JOIN ledger.balances b ON b.account_id = a.id WHERE a.name LIKE 'processor/%/clearing' GROUP BY 1, 2
            )
            SELECT COALESCE(o.name, h.name) AS name, COALESCE(o.currency, h.currency) AS currency, o.amount AS owed, h.balance AS ledger
            FROM owed o FULL JOIN held h ON h.name = o.name AND h.currency = o.currency
            WHERE COALESCE(o.amount, 0) <> COALESCE(h.balance, 0)
            """),
        new(Conservation, "the platform has earned the fees of charges and disputes",
            """
            WITH earned AS (
                SELECT currency, sum(amount) AS amount FROM (
                    SELECT currency, sum(fee_amount - fee_returned_amount) AS amount FROM payments.charges GROUP BY 1
                    UNION ALL
                    SELECT charge_currency, sum(posted_fee) FROM payments.disputes GROUP BY 1
                ) x GROUP BY 1
            ), held AS (
                SELECT a.currency, sum(b.balance) AS balance FROM ledger.accounts a JOIN ledger.balances b ON b.account_id = a.id WHERE a.name = 'platform/fees' GROUP BY 1
            )
            SELECT COALESCE(e.currency, h.currency) AS currency, e.amount AS earned, h.balance AS ledger
            FROM earned e FULL JOIN held h ON h.currency = e.currency
            WHERE COALESCE(e.amount, 0) <> COALESCE(h.balance, 0)
            """),
        new(Conservation, "the bank has paid what payouts say",
            """
            WITH paid AS (
                SELECT currency, -sum(amount) AS amount FROM payments.payouts WHERE status = 'paid' GROUP BY 1
            ), held AS (
                SELECT a.currency, sum(b.balance) AS balance FROM ledger.accounts a JOIN ledger.balances b ON b.account_id = a.id WHERE a.name = 'bank/settlement' GROUP BY 1
            )
            SELECT COALESCE(p.currency, h.currency) AS currency, p.amount AS paid, h.balance AS ledger
            FROM paid p FULL JOIN held h ON h.currency = p.currency
            WHERE COALESCE(p.amount, 0) <> COALESCE(h.balance, 0)
            """),
        .. PayoutInvariants.All.Select(invariant => new Rule(Conservation, invariant.Name, invariant.Sql)),
    ];
}
