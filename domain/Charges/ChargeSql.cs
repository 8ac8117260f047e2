namespace Payments.Domain.Charges;

internal static class ChargeSql
{
    /// <summary>The columns of a charge in the order that <see cref="ChargeRows"/> reads them.</summary>
    public const string Columns =
        """
        c.merchant_id, c.id, c.status, c.currency, c.amount, c.capture_method, c.authorized_amount, c.capturing_amount, c.captured_amount, c.canceled_amount,
        c.refunding_amount, c.refunded_amount, c.fee_amount, c.payment_token, c.provider, c.provider_reference, c.decline_code, c.redirect_url, c.card::text,
        c.customer, c.description, c.statement_descriptor, c.metadata::text, c.created_at, c.updated_at, c.expires_at,
        c.canceling_amount, c.fee_details::text, c.fee_returned_amount
        """;

    public const string AttemptColumns =
        """
        a.id, a.refund_id, a.operation, a.status, a.provider, a.amount, a.provider_reference, a.decline_code, a.idempotency_key, a.checks, a.next_check_at,
        a.created_at, a.finished_at, a.released_amount, a.is_expiry, a.overdue_at, a.made_elsewhere
        """;

    public const string RefundColumns =
        "r.id, r.status, r.amount, r.reason, r.failure_code, r.provider_reference, r.metadata::text, r.created_at, r.updated_at, r.fee_returned_amount, r.made_elsewhere";

    /// <summary>
    /// Takes the keys, and records the charges whose keys were free. Lock order: keys by (merchant, key), so two instances that take the
    /// same keys cannot deadlock. A charge's row is also the record of its first attempt until the attempt gets its own row. Returns the
    /// ids of the recorded charges, each with the delay of the merchant's payout settings, or null without settings.
    /// </summary>
    public const string InsertIntents =
        """
        WITH input AS MATERIALIZED (
            SELECT unnest($1::uuid[]) AS merchant_id, unnest($2::text[]) AS key, unnest($3::bytea[]) AS fingerprint, unnest($4::uuid[]) AS charge_id,
                unnest($5::bigint[]) AS amount, unnest($6::text[]) AS currency, unnest($7::text[]) AS capture_method, unnest($8::text[]) AS payment_token, unnest($9::text[]) AS provider,
                unnest($10::text[]) AS customer, unnest($11::text[]) AS description, unnest($12::text[]) AS statement_descriptor, unnest($13::text[]) AS metadata,
                unnest($14::timestamptz[]) AS created_at, unnest($15::timestamptz[]) AS first_check_at
        ),
        taken AS (
            INSERT INTO payments.idempotency_keys (bucket, merchant_id, key, fingerprint, object_id, created_at)
            SELECT payments.bucket_of(merchant_id), merchant_id, key, fingerprint, charge_id, created_at
            FROM input
            ORDER BY merchant_id, key
            ON CONFLICT DO NOTHING
            RETURNING merchant_id, object_id
        ),
        recorded AS (
            INSERT INTO payments.charges (bucket, merchant_id, id, status, currency, amount, capture_method, payment_token, provider,
                customer, description, statement_descriptor, metadata, created_at, updated_at,
                first_check_at, idempotency_key)
            SELECT payments.bucket_of(i.merchant_id), i.merchant_id, i.charge_id, 'pending', i.currency, i.amount, i.capture_method,
                i.payment_token, i.provider, i.customer, i.description, i.statement_descriptor,
                   i.metadata::jsonb, i.created_at, i.created_at, i.first_check_at, i.key
            FROM input i JOIN taken t ON t.object_id = i.charge_id AND t.merchant_id = i.merchant_id
            RETURNING merchant_id, id, currency
        )
        SELECT r.id, (SELECT s.delay_days FROM payments.payout_settings s WHERE s.merchant_id = r.merchant_id AND s.currency = r.currency)
        FROM recorded r
        """;

    /// <summary>
    /// The charges that hold their keys already, with the columns of <see cref="InsertIntents"/>. A repeated batch finds its own charges
    /// this way.
    /// </summary>
    public const string OwnIntents =
        """
        SELECT c.id, (SELECT s.delay_days FROM payments.payout_settings s WHERE s.merchant_id = c.merchant_id AND s.currency = c.currency)
        FROM unnest($1::uuid[], $2::text[], $3::uuid[]) AS i (merchant_id, key, charge_id)
        JOIN payments.idempotency_keys k ON k.merchant_id = i.merchant_id AND k.key = i.key AND k.object_id = i.charge_id
        JOIN payments.charges c ON c.merchant_id = i.merchant_id AND c.id = i.charge_id
        """;

    /// <summary>
    /// Locks attempts and their charges. Lock order: by (merchant, charge, attempt). After a wait, the locked rows are current, but the
    /// refund and the stored response may be as they were before it. They are current for an attempt without a recorded answer.
    /// <see cref="BesideAttempts"/> reads them again for the others.
    /// </summary>
    public const string LockAttempts =
        $"""
        SELECT {Columns}, {AttemptColumns}, {RefundColumns}, k.response_status, k.response_body,
            (SELECT s.delay_days FROM payments.payout_settings s WHERE s.merchant_id = c.merchant_id AND s.currency = c.currency)
        FROM unnest($1::uuid[], $2::uuid[]) AS i (merchant_id, id)
        JOIN payments.attempts a ON a.merchant_id = i.merchant_id AND a.id = i.id
        JOIN payments.charges c ON c.merchant_id = a.merchant_id AND c.id = a.charge_id
        LEFT JOIN payments.refunds r ON r.merchant_id = a.merchant_id AND r.id = a.refund_id
        LEFT JOIN payments.idempotency_keys k ON k.merchant_id = a.merchant_id AND k.key = a.idempotency_key AND k.completed_at IS NOT NULL
        ORDER BY c.merchant_id, c.id, a.id
        FOR UPDATE OF c, a
        """;

    /// <summary>
    /// Inserts the missing rows of first attempts, before a process other than their own records an answer. Lock order: charges by
    /// (merchant, id). If another transaction is recording the attempt, this one waits and then inserts nothing.
    /// </summary>
    public const string RecordFirstAttempts =
        """
        WITH begun AS MATERIALIZED (
            SELECT c.merchant_id, c.id, c.provider, c.amount, c.idempotency_key, c.first_check_at, c.created_at
            FROM unnest($1::uuid[], $2::uuid[]) AS i (merchant_id, attempt_id)
            JOIN payments.charges c ON c.merchant_id = i.merchant_id AND c.id = payments.first_attempt(i.attempt_id)
            WHERE c.first_check_at IS NOT NULL
            ORDER BY c.merchant_id, c.id
            FOR UPDATE OF c
        ),
        taken AS (
            UPDATE payments.charges c SET first_check_at = NULL, idempotency_key = NULL
            FROM begun b
            WHERE c.merchant_id = b.merchant_id AND c.id = b.id
        )
        INSERT INTO payments.attempts (bucket, merchant_id, id, charge_id, operation, status, provider, amount, idempotency_key,
            next_check_at, created_at)
        SELECT payments.bucket_of(merchant_id), merchant_id, payments.first_attempt(id), id, 'charge', 'started', provider, amount,
            idempotency_key, first_check_at, created_at FROM begun
        """;

    /// <summary>
    /// Inserts the rows of first attempts together with their outcomes. Only the process that committed the intents uses it.
    /// </summary>
    public const string InsertFirstAttempts =
        """
        INSERT INTO payments.attempts
            (bucket, merchant_id, id, charge_id, operation, status, provider, amount, provider_reference, decline_code, idempotency_key,
                checks, next_check_at, created_at, finished_at)
        SELECT payments.bucket_of(merchant_id), merchant_id, id, charge_id, 'charge', status, provider, amount, provider_reference,
            decline_code, idempotency_key, checks, next_check_at, created_at, finished_at
        FROM (
            SELECT unnest($1::uuid[]) AS merchant_id, unnest($2::uuid[]) AS id, unnest($3::uuid[]) AS charge_id,
                unnest($4::text[]) AS status, unnest($5::text[]) AS provider, unnest($6::bigint[]) AS amount,
                unnest($7::text[]) AS provider_reference,
                unnest($8::text[]) AS decline_code, unnest($9::text[]) AS idempotency_key, unnest($10::integer[]) AS checks,
                unnest($11::timestamptz[]) AS next_check_at, unnest($12::timestamptz[]) AS created_at,
                unnest($13::timestamptz[]) AS finished_at
        ) AS t
        """;

    /// <summary>
    /// Updates charges if all of them are as this transaction read them. Otherwise it raises <see cref="NotAsBefore"/>. Each change of a
    /// charge sets its status or <c>updated_at</c>. Inserting the row of the first attempt clears <c>first_check_at</c>. So this statement
    /// never overwrites another transaction's change, even if the row was read without a lock.
    /// </summary>
    public const string UpdateCharges =
        """
        WITH changed AS (
            UPDATE payments.charges c
            SET status = t.status, authorized_amount = t.authorized, capturing_amount = t.capturing, captured_amount = t.captured, canceled_amount = t.canceled,
                refunding_amount = t.refunding, refunded_amount = t.refunded, fee_amount = t.fee, provider_reference = t.provider_reference,
                decline_code = t.decline_code, redirect_url = t.redirect_url, card = t.card::jsonb, updated_at = t.updated_at, expires_at = t.expires_at,
                canceling_amount = t.canceling, fee_details = t.fee_details::jsonb, fee_returned_amount = t.fee_returned, first_check_at = NULL, idempotency_key = NULL
            FROM (
                SELECT unnest($1::uuid[]) AS merchant_id, unnest($2::uuid[]) AS id, unnest($3::text[]) AS status_before, unnest($4::text[]) AS status, unnest($5::bigint[]) AS authorized,
                    unnest($6::bigint[]) AS capturing, unnest($7::bigint[]) AS captured, unnest($8::bigint[]) AS canceled, unnest($9::bigint[]) AS refunding, unnest($10::bigint[]) AS refunded,
                    unnest($11::bigint[]) AS fee, unnest($12::text[]) AS provider_reference, unnest($13::text[]) AS decline_code, unnest($14::text[]) AS redirect_url, unnest($15::text[]) AS card,
                    unnest($16::timestamptz[]) AS updated_at, unnest($17::timestamptz[]) AS expires_at, unnest($18::bigint[]) AS canceling, unnest($19::text[]) AS fee_details,
                    unnest($20::bigint[]) AS fee_returned, unnest($21::timestamptz[]) AS updated_before, unnest($22::timestamptz[]) AS first_check_before
            ) AS t
            WHERE c.merchant_id = t.merchant_id AND c.id = t.id AND c.status = t.status_before AND c.updated_at = t.updated_before
                AND c.first_check_at IS NOT DISTINCT FROM t.first_check_before
            RETURNING 1
        )
        SELECT payments.all_rows((SELECT count(*) FROM changed), cardinality($1))
        """;

    /// <summary>The SQLSTATE that <see cref="UpdateCharges"/> raises.</summary>
    public const string NotAsBefore = "CH001";

    /// <summary>A settled attempt does not change, except for a succeeded refund that the provider later reports as failed.</summary>
    public const string UpdateAttempts =
        """
        UPDATE payments.attempts a
        SET status = t.status, provider_reference = t.provider_reference, decline_code = t.decline_code, checks = t.checks, next_check_at = t.next_check_at,
            finished_at = t.finished_at
        FROM (
            SELECT unnest($1::uuid[]) AS merchant_id, unnest($2::uuid[]) AS id, unnest($3::text[]) AS status, unnest($4::text[]) AS provider_reference, unnest($5::text[]) AS decline_code,
                unnest($6::integer[]) AS checks, unnest($7::timestamptz[]) AS next_check_at, unnest($8::timestamptz[]) AS finished_at
        ) AS t
        WHERE a.merchant_id = t.merchant_id AND a.id = t.id
            AND (a.status NOT IN ('succeeded', 'declined', 'failed') OR (a.operation = 'refund' AND a.status = 'succeeded' AND t.status = 'declined'))
        """;

    /// <summary>
    /// Inserts the next attempts of charges at other providers. The charge's row names the provider and the token of its newest attempt.
    /// </summary>
    public const string StartAttempts =
        """
        WITH input AS MATERIALIZED (
            SELECT *
            FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::timestamptz[], $9::timestamptz[])
                AS t (merchant_id, id, charge_id, provider, payment_token, amount, idempotency_key, next_check_at, created_at)
        ),
        moved AS (
            UPDATE payments.charges c SET provider = i.provider, payment_token = i.payment_token
            FROM input i
            WHERE c.merchant_id = i.merchant_id AND c.id = i.charge_id
        )
        INSERT INTO payments.attempts (bucket, merchant_id, id, charge_id, operation, status, provider, amount, idempotency_key,
            next_check_at, created_at)
        SELECT payments.bucket_of(merchant_id), merchant_id, id, charge_id, 'charge', 'started', provider, amount, idempotency_key,
            next_check_at, created_at FROM input
        """;

    public const string UpdateRefunds =
        """
        UPDATE payments.refunds r
        SET status = t.status, failure_code = t.failure_code, provider_reference = COALESCE(t.provider_reference, r.provider_reference), updated_at = t.updated_at,
            fee_returned_amount = t.fee_returned
        FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::bigint[])
            AS t (merchant_id, id, status, failure_code, provider_reference, updated_at, fee_returned)
        WHERE r.merchant_id = t.merchant_id AND r.id = t.id AND r.status <> 'failed'
        """;

    /// <summary>Takes the free keys and returns their object ids. Lock order: keys by (merchant, key).</summary>
    public const string TakeKeys =
        """
        INSERT INTO payments.idempotency_keys (bucket, merchant_id, key, fingerprint, object_id, created_at)
        SELECT payments.bucket_of(merchant_id), merchant_id, key, fingerprint, object_id, created_at
        FROM unnest($1::uuid[], $2::text[], $3::bytea[], $4::uuid[], $5::timestamptz[]) AS t (merchant_id, key, fingerprint, object_id, created_at)
        ORDER BY merchant_id, key
        ON CONFLICT DO NOTHING
        RETURNING object_id
        """;

    /// <summary>Deletes the keys of refused requests, because a refusal stores no response.</summary>
    public const string ReturnKeys =
        """
        DELETE FROM payments.idempotency_keys k
        USING unnest($1::uuid[], $2::text[]) AS t (merchant_id, key)
        WHERE k.merchant_id = t.merchant_id AND k.key = t.key AND k.completed_at IS NULL
        """;

    /// <summary>
    /// Lock order: charges by (merchant, id). <see cref="LockAttempts"/> takes the same order, so the two cannot deadlock.
    /// </summary>
    public const string LockCharges =
        $"""
        SELECT {Columns}
        FROM (SELECT DISTINCT merchant_id, id FROM unnest($1::uuid[], $2::uuid[]) AS t (merchant_id, id)) i
        JOIN payments.charges c ON c.merchant_id = i.merchant_id AND c.id = i.id
        ORDER BY c.merchant_id, c.id
        FOR UPDATE OF c
        """;

    /// <summary>
    /// The amount of each charge that chargebacks hold or have taken. It is zero for a dispute that was won. The transaction must hold the
    /// locks of the charges: each change of a dispute takes the charge's lock first.
    /// </summary>
    public const string DisputedAmounts =
        """
        SELECT d.merchant_id, d.charge_id, sum(d.posted_disputed + d.posted_taken)::bigint
        FROM (SELECT DISTINCT merchant_id, id FROM unnest($1::uuid[], $2::uuid[]) AS t (merchant_id, id)) i
        JOIN payments.disputes d ON d.merchant_id = i.merchant_id AND d.charge_id = i.id
        WHERE d.stage IN ('chargeback', 'pre_arbitration', 'arbitration')
        GROUP BY d.merchant_id, d.charge_id
        """;

    /// <summary>
    /// Takes the limits for captures, cancels and refunds, summed per charge. A charge whose limits do not suffice is not updated, and is
    /// missing from the row count.
    /// </summary>
    public const string TakeLimits =
        """
        UPDATE payments.charges c
        SET capturing_amount = c.capturing_amount + t.capturing, canceling_amount = c.canceling_amount + t.canceling, refunding_amount = c.refunding_amount + t.refunding,
            updated_at = t.updated_at
        FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::bigint[], $6::timestamptz[]) AS t (merchant_id, id, capturing, canceling, refunding, updated_at)
        WHERE c.merchant_id = t.merchant_id AND c.id = t.id
            AND CASE
                WHEN t.capturing + t.canceling = 0 THEN true
                WHEN c.status IN ('authorized', 'partially_captured')
                    THEN c.captured_amount + c.capturing_amount + c.canceled_amount + c.canceling_amount + t.capturing + t.canceling <= c.authorized_amount
                ELSE c.status = 'requires_action' AND t.capturing = 0 AND c.canceling_amount = 0 AND t.canceling = c.amount
            END
            AND c.refunded_amount + c.refunding_amount + t.refunding <= c.captured_amount
        """;

    public const string InsertRefunds =
        """
        INSERT INTO payments.refunds (bucket, merchant_id, id, charge_id, status, currency, amount, reason, metadata, created_at,
            updated_at, made_elsewhere)
        SELECT payments.bucket_of(merchant_id), merchant_id, id, charge_id, 'pending', currency, amount, reason, metadata::jsonb,
            created_at, created_at, made_elsewhere
        FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::timestamptz[], $9::boolean[])
            AS t (merchant_id, id, charge_id, currency, amount, reason, metadata, created_at, made_elsewhere)
        """;

    public const string InsertAttempts =
        """
        INSERT INTO payments.attempts
            (bucket, merchant_id, id, charge_id, refund_id, operation, status, provider, amount, idempotency_key, next_check_at,
                created_at, released_amount, is_expiry, made_elsewhere)
        SELECT payments.bucket_of(merchant_id), merchant_id, id, charge_id, refund_id, operation, 'started', provider, amount,
            idempotency_key, next_check_at, created_at, released, is_expiry, made_elsewhere
        FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::bigint[], $8::text[], $9::timestamptz[], $10::timestamptz[], $11::bigint[], $12::boolean[], $13::boolean[])
            AS t (merchant_id, id, charge_id, refund_id, operation, provider, amount, idempotency_key, next_check_at, created_at, released, is_expiry, made_elsewhere)
        """;

    /// <summary>Oldest first: ids sort by time.</summary>
    public const string AttemptsOfCharge =
        $"""
        SELECT {Columns}, {AttemptColumns}
        FROM payments.charges c
        JOIN payments.all_attempts a ON a.merchant_id = c.merchant_id AND a.charge_id = c.id
        WHERE c.merchant_id = $1 AND c.id = $2
        ORDER BY a.id
        """;

    public const string Get = $"SELECT {Columns} FROM payments.charges c WHERE c.merchant_id = $1 AND c.id = $2";

    /// <summary>The start of every list of charges. <see cref="Database.ListQuery"/> appends the filters.</summary>
    public const string List = $"SELECT {Columns} FROM payments.charges c";

    /// <summary>Inserts the missing rows of first attempts that are due for a check.</summary>
    public const string RecordDueFirstAttempts = "SELECT payments.record_first_attempts($1, $2)";

    /// <summary>
    /// Claims the attempts that are due for a check, by moving their next check into the future. Until then no other instance claims them.
    /// After a crash they become due again.
    /// </summary>
    public const string ClaimDueAttempts =
        $"""
        WITH due AS (
            SELECT merchant_id, id FROM payments.attempts WHERE next_check_at <= $1 ORDER BY next_check_at LIMIT $3 FOR UPDATE SKIP LOCKED
        ),
        claimed AS (
            UPDATE payments.attempts a SET next_check_at = $2 FROM due d WHERE a.merchant_id = d.merchant_id AND a.id = d.id RETURNING a.*
        )
        SELECT {Columns}, {AttemptColumns}
        FROM claimed a
        JOIN payments.charges c ON c.merchant_id = a.merchant_id AND c.id = a.charge_id
        """;

    /// <summary>The stored responses and refunds of attempts, which <see cref="LockAttempts"/> does not lock.</summary>
    public const string BesideAttempts =
        $"""
        SELECT a.merchant_id, a.id, k.response_status, k.response_body, {RefundColumns}
        FROM unnest($1::uuid[], $2::uuid[]) AS i (merchant_id, id)
        JOIN payments.attempts a ON a.merchant_id = i.merchant_id AND a.id = i.id
        LEFT JOIN payments.refunds r ON r.merchant_id = a.merchant_id AND r.id = a.refund_id
        LEFT JOIN payments.idempotency_keys k ON k.merchant_id = a.merchant_id AND k.key = a.idempotency_key AND k.completed_at IS NOT NULL
        """;

    /// <summary>A refund's columns, its charge and its currency.</summary>
    public const string GetRefund = $"SELECT {RefundColumns}, r.charge_id, r.currency FROM payments.refunds r WHERE r.merchant_id = $1 AND r.id = $2";

    public const string ListRefunds =
        $"""
        SELECT {RefundColumns}, r.charge_id, r.currency
        FROM payments.refunds r
        WHERE r.merchant_id = $1 AND ($2::uuid IS NULL OR r.id < $2) AND ($3::uuid IS NULL OR r.charge_id = $3) AND ($4::text IS NULL OR r.status = $4)
        ORDER BY r.id DESC
        LIMIT $5
        """;

    /// <summary>A charge with its newest attempt of the operation charge.</summary>
    private const string WithAttempt =
        $"""
        SELECT {Columns}, {AttemptColumns}
        FROM payments.charges c
        JOIN LATERAL (
            SELECT * FROM payments.all_attempts WHERE merchant_id = c.merchant_id AND charge_id = c.id AND operation = 'charge' ORDER BY id DESC LIMIT 1
        ) a ON true
        """;

    public const string GetWithAttempt = $"{WithAttempt} WHERE c.merchant_id = $1 AND c.id = $2";

    /// <summary>The lapsed charges that have no capture or cancel in progress.</summary>
    public const string Lapsed =
        $"""
        {WithAttempt}
        WHERE c.expires_at <= $1 AND c.status IN ('authorized', 'partially_captured', 'requires_action') AND c.capturing_amount = 0 AND c.canceling_amount = 0
        ORDER BY c.expires_at
        LIMIT $2
        """;

    /// <summary>
    /// The charges whose payment has this id at this provider. Two rows are enough to see that the payment is not unique.
    /// </summary>
    public const string OfPayment = $"SELECT {Columns} FROM payments.charges c WHERE c.provider_reference = $1 AND c.provider = $2 LIMIT 2";

    /// <summary>
    /// The sum of a charge's refunds that the provider accepted or may have accepted. It includes refunds that failed later, because the
    /// provider counts them too.
    /// </summary>
    public const string RefundsTakenOn =
        """
        SELECT COALESCE(sum(amount), 0)::bigint FROM payments.refunds
        WHERE merchant_id = $1 AND charge_id = $2 AND (status <> 'failed' OR provider_reference IS NOT NULL)
        """;

    /// <summary>
    /// The succeeded refunds of a charge that were made elsewhere and have this amount. Two rows are enough to see that the refund is not
    /// unique.
    /// </summary>
    public const string RefundsElsewhere =
        """
        SELECT id FROM payments.attempts
        WHERE merchant_id = $1 AND charge_id = $2 AND operation = 'refund' AND made_elsewhere AND status = 'succeeded' AND amount = $3
        LIMIT 2
        """;

    public const string PostponeExpiry =
        """
        UPDATE payments.charges SET expires_at = $3
        WHERE merchant_id = $1 AND id = $2 AND status IN ('authorized', 'partially_captured', 'requires_action')
        """;
}
