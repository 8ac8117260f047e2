namespace Payments.Domain.Disputes;

internal static class DisputeSql
{
    /// <summary>The columns of a dispute in the order that <see cref="DisputeRows"/> reads them.</summary>
    public const string Columns =
        """
        d.merchant_id, d.id, d.charge_id, d.provider, d.provider_dispute_id, d.stage, d.status, d.currency, d.amount, d.returned_amount, d.merchant_currency,
        d.merchant_amount, d.network, d.network_reason_code, d.reason, d.evidence_due_by, d.evidence_due_by_default, d.opened_at, d.changed_at,
        d.charge_currency, d.charge_amount, d.fee_chargeback, d.fee_pre_arbitration, d.fee_arbitration, d.fee_refunded_when_won,
        d.posted_disputed, d.posted_taken, d.posted_taken_at_processor, d.posted_fee, d.journals, d.version, d.created_at, d.updated_at
        """;

    /// <summary>
    /// The columns of an update after the two that identify its dispute, in the order that <see cref="DisputeRows"/> reads them.
    /// </summary>
    public const string UpdateColumns =
        """
        u.charge_reference, u.stage, u.status, u.currency, u.amount, u.returned_amount, u.merchant_currency, u.merchant_amount, u.network, u.network_reason_code,
        u.reason, u.evidence_due_by, u.occurred_at, u.source, u.source_reference
        """;

    /// <summary>
    /// Finds where each update belongs: its dispute, and whether the dispute has the update already. If there is no dispute, the charge
    /// that the update names. If there is no charge, whether the update waits for one already. An update of which nothing is known gives no
    /// row. A reference that names more than one charge names none: money is never taken from a merchant on a guess. <c>OFFSET 0</c> keeps
    /// each look-up at one index probe per line. As joins, they would be planned as scans of tables that have just grown.
    /// </summary>
    public const string Find =
        """
        SELECT i.n, d.merchant_id, d.charge_id, d.is_known, c.merchant_id, c.id
        FROM unnest($1::int[], $2::text[], $3::text[], $4::text[], $5::uuid[]) AS i (n, provider, provider_dispute_id, reference, fingerprint)
        LEFT JOIN LATERAL (
            SELECT d.merchant_id, d.charge_id, EXISTS (
                SELECT FROM payments.dispute_updates u WHERE u.merchant_id = d.merchant_id AND u.dispute_id = d.id AND u.fingerprint = i.fingerprint) AS is_known
            FROM payments.disputes d
            WHERE d.provider_dispute_id = i.provider_dispute_id AND d.provider = i.provider
            OFFSET 0
        ) d ON true
        LEFT JOIN LATERAL (
            SELECT c.merchant_id, c.id
            FROM payments.charges c
            WHERE d.merchant_id IS NULL AND c.provider_reference = i.reference AND c.provider = i.provider AND NOT EXISTS (
                SELECT FROM payments.charges o
                WHERE o.provider_reference = i.reference AND o.provider = i.provider AND (o.merchant_id, o.id) <> (c.merchant_id, c.id))
            OFFSET 0
        ) c ON true
        LEFT JOIN LATERAL (
            SELECT true AS is_waiting
            FROM payments.unmatched_dispute_updates u
            WHERE d.merchant_id IS NULL AND c.id IS NULL
              AND u.provider_dispute_id = i.provider_dispute_id AND u.provider = i.provider AND u.fingerprint = i.fingerprint
            OFFSET 0
        ) u ON true
        WHERE d.merchant_id IS NOT NULL OR c.id IS NOT NULL OR u.is_waiting
        """;

    /// <summary>
    /// Lock order: charges by (merchant, id). Every transaction that changes a dispute locks its charge first. So two updates of a dispute
    /// that does not exist yet wait for each other here, and so do a refund and a dispute.
    /// </summary>
    public const string LockCharges =
        """
        SELECT c.merchant_id, c.id, c.currency, coalesce(nullif(c.captured_amount, 0), c.authorized_amount), c.amount, (coalesce(
                (SELECT f.plan FROM payments.fee_plans f WHERE f.merchant_id = m.id AND f.effective_from <= $3 ORDER BY f.effective_from DESC, f.version DESC LIMIT 1), m.fee_plan)
            -> 'disputes')::text
        FROM unnest($1::uuid[], $2::uuid[]) AS i (merchant_id, id)
        JOIN payments.charges c ON c.merchant_id = i.merchant_id AND c.id = i.id
        JOIN payments.merchants m ON m.id = c.merchant_id
        ORDER BY c.merchant_id, c.id
        FOR NO KEY UPDATE OF c
        """;

    public const string LoadDisputes =
        $"""
        SELECT {Columns}
        FROM unnest($1::uuid[], $2::text[], $3::text[]) AS i (merchant_id, provider, provider_dispute_id)
        JOIN payments.disputes d ON d.merchant_id = i.merchant_id AND d.provider_dispute_id = i.provider_dispute_id AND d.provider = i.provider
        ORDER BY d.merchant_id, d.id
        FOR UPDATE OF d
        """;

    public const string LoadUpdates =
        $"""
        SELECT d.provider, d.provider_dispute_id, {UpdateColumns}
        FROM unnest($1::uuid[], $2::uuid[]) AS i (merchant_id, id)
        JOIN payments.disputes d ON d.merchant_id = i.merchant_id AND d.id = i.id
        JOIN payments.dispute_updates u ON u.merchant_id = d.merchant_id AND u.dispute_id = d.id
        """;

    /// <summary>
    /// The disputes that have updates waiting for their charge. They are few, so <see cref="AdoptUnmatched"/> rarely runs.
    /// </summary>
    public const string FindWaiting =
        """
        SELECT i.provider, i.provider_dispute_id
        FROM unnest($1::text[], $2::text[]) AS i (provider, provider_dispute_id)
        CROSS JOIN LATERAL (
            SELECT FROM payments.unmatched_dispute_updates u WHERE u.provider_dispute_id = i.provider_dispute_id AND u.provider = i.provider LIMIT 1
        ) u
        """;

    /// <summary>Takes the updates that waited for their charge, as soon as another update of their dispute finds it.</summary>
    public const string AdoptUnmatched =
        $"""
        DELETE FROM payments.unmatched_dispute_updates u
        USING unnest($1::text[], $2::text[]) AS i (provider, provider_dispute_id)
        WHERE u.provider_dispute_id = i.provider_dispute_id AND u.provider = i.provider
        RETURNING u.provider, u.provider_dispute_id, {UpdateColumns}
        """;

    public const string Insert =
        """
        INSERT INTO payments.disputes
            (bucket, merchant_id, id, charge_id, provider, provider_dispute_id, stage, status, currency, amount, returned_amount,
                merchant_currency, merchant_amount, network,
             network_reason_code, reason, evidence_due_by, evidence_due_by_default, opened_at, changed_at, charge_currency, charge_amount, fee_chargeback,
             fee_pre_arbitration, fee_arbitration, fee_refunded_when_won, posted_disputed, posted_taken, posted_taken_at_processor, posted_fee, journals, version,
             created_at, updated_at)
        SELECT payments.bucket_of(t.merchant_id), t.*
        FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[], $10::bigint[], $11::text[], $12::bigint[],
                    $13::text[], $14::text[], $15::text[], $16::timestamptz[], $17::boolean[], $18::timestamptz[], $19::timestamptz[], $20::text[], $21::bigint[],
                    $22::bigint[], $23::bigint[], $24::bigint[], $25::boolean[], $26::bigint[], $27::bigint[], $28::bigint[], $29::bigint[], $30::integer[], $31::integer[],
                    $32::timestamptz[], $33::timestamptz[]) AS t (merchant_id)
        """;

    /// <summary>The version guards against a writer that does not hold the charge's lock. The caller checks the number of rows.</summary>
    public const string Update =
        """
        UPDATE payments.disputes d
        SET stage = t.stage, status = t.status, currency = t.currency, amount = t.amount, returned_amount = t.returned_amount, merchant_currency = t.merchant_currency,
            merchant_amount = t.merchant_amount, network = t.network, network_reason_code = t.network_reason_code, reason = t.reason,
            evidence_due_by = t.evidence_due_by, evidence_due_by_default = t.evidence_due_by_default, opened_at = t.opened_at, changed_at = t.changed_at,
            posted_disputed = t.posted_disputed, posted_taken = t.posted_taken, posted_taken_at_processor = t.posted_taken_at_processor, posted_fee = t.posted_fee,
            journals = t.journals, version = t.version, updated_at = t.updated_at
        FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::text[], $9::bigint[], $10::text[], $11::text[], $12::text[],
                    $13::timestamptz[], $14::boolean[], $15::timestamptz[], $16::timestamptz[], $17::bigint[], $18::bigint[], $19::bigint[], $20::bigint[], $21::integer[],
                    $22::integer[], $23::timestamptz[])
            AS t (merchant_id, id, stage, status, currency, amount, returned_amount, merchant_currency, merchant_amount, network, network_reason_code, reason,
                  evidence_due_by, evidence_due_by_default, opened_at, changed_at, posted_disputed, posted_taken, posted_taken_at_processor, posted_fee, journals,
                  version, updated_at)
        WHERE d.merchant_id = t.merchant_id AND d.id = t.id AND d.version = t.version - 1
        """;

    public const string InsertUpdates =
        """
        INSERT INTO payments.dispute_updates
            (bucket, merchant_id, dispute_id, fingerprint, charge_reference, stage, status, currency, amount, returned_amount,
                merchant_currency, merchant_amount, network,
             network_reason_code, reason, evidence_due_by, occurred_at, source, source_reference, received_at)
        SELECT payments.bucket_of(t.merchant_id), t.*
        FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::bigint[], $10::text[], $11::bigint[], $12::text[],
                    $13::text[], $14::text[], $15::timestamptz[], $16::timestamptz[], $17::text[], $18::text[],
                        $19::timestamptz[]) AS t (merchant_id)
        ON CONFLICT DO NOTHING
        """;

    /// <summary>For many rows COPY is several times as fast as INSERT. It fails if a row exists already.</summary>
    public const string CopyUnmatched =
        """
        COPY payments.unmatched_dispute_updates
            (provider, provider_dispute_id, fingerprint, charge_reference, stage, status, currency, amount, returned_amount, merchant_currency, merchant_amount, network,
             network_reason_code, reason, evidence_due_by, occurred_at, source, source_reference, received_at, checks, next_check_at)
        FROM STDIN (FORMAT BINARY)
        """;

    public const string InsertUnmatched =
        """
        INSERT INTO payments.unmatched_dispute_updates
            (provider, provider_dispute_id, fingerprint, charge_reference, stage, status, currency, amount, returned_amount, merchant_currency, merchant_amount, network,
             network_reason_code, reason, evidence_due_by, occurred_at, source, source_reference, received_at, checks, next_check_at)
        SELECT *, 0, $20
        FROM unnest($1::text[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::bigint[], $10::text[], $11::bigint[], $12::text[],
                    $13::text[], $14::text[], $15::timestamptz[], $16::timestamptz[], $17::text[], $18::text[], $19::timestamptz[])
            AS t (provider, provider_dispute_id)
        ORDER BY t.provider_dispute_id, t.provider
        ON CONFLICT DO NOTHING
        """;

    /// <summary>
    /// Takes the unmatched updates that are due for a check, and postpones each at once: by 1 minute after the first check, then twice as
    /// long each time, up to a day.
    /// </summary>
    public const string TakeUnmatched =
        $"""
        WITH due AS (
            SELECT provider_dispute_id, provider, fingerprint
            FROM payments.unmatched_dispute_updates
            WHERE next_check_at <= $1
            ORDER BY next_check_at
            LIMIT $2
            FOR UPDATE SKIP LOCKED
        )
        UPDATE payments.unmatched_dispute_updates u
        SET checks = u.checks + 1, next_check_at = $1 + least(interval '1 day', interval '1 minute' * (1 << least(u.checks, 11)))
        FROM due
        WHERE u.provider_dispute_id = due.provider_dispute_id AND u.provider = due.provider AND u.fingerprint = due.fingerprint
        RETURNING u.provider, u.provider_dispute_id, {UpdateColumns}
        """;

    public const string Get = $"SELECT {Columns} FROM payments.disputes d WHERE d.merchant_id = $1 AND d.id = $2";

    public const string OfCharge = $"SELECT {Columns} FROM payments.disputes d WHERE d.merchant_id = $1 AND d.charge_id = $2 ORDER BY d.id";

    public const string History =
        $"""
        SELECT d.provider, d.provider_dispute_id, {UpdateColumns}, u.received_at
        FROM payments.disputes d
        JOIN payments.dispute_updates u ON u.merchant_id = d.merchant_id AND u.dispute_id = d.id
        WHERE d.merchant_id = $1 AND d.id = $2
        """;

    /// <summary>Soonest due first, disputes without a date last. The cursor is the last dispute of the previous page.</summary>
    public const string ListByDueDate =
        $"""
        SELECT {Columns}
        FROM payments.disputes d
        LEFT JOIN payments.disputes a ON a.merchant_id = $1 AND a.id = $2
        WHERE d.merchant_id = $1
          AND ($2::uuid IS NULL OR (coalesce(d.evidence_due_by, 'infinity'), d.id) > (coalesce(a.evidence_due_by, 'infinity'), a.id))
          AND ($3::text IS NULL OR d.status = $3)
          AND ($4::timestamptz IS NULL OR d.evidence_due_by < $4)
        ORDER BY coalesce(d.evidence_due_by, 'infinity'), d.id
        LIMIT $5
        """;

    /// <summary>Updates that wait for their charge, oldest first.</summary>
    public const string ListUnmatched =
        $"""
        SELECT u.provider, u.provider_dispute_id, {UpdateColumns}, u.received_at
        FROM payments.unmatched_dispute_updates u
        WHERE ($1::text IS NULL OR u.provider = $1) AND ($3::timestamptz IS NULL OR (u.received_at, u.fingerprint) > ($3, $4::uuid))
        ORDER BY u.received_at, u.fingerprint
        LIMIT $2
        """;
}
