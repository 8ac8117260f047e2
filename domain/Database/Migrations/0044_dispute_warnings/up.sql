-- A merchant's rule: early warnings of at most so much are refunded before they become chargebacks. It holds for warnings that arrive after it.
CREATE TABLE payments.dispute_settings (
    merchant_id           uuid NOT NULL,
    currency              text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    -- Minor units; null refunds nothing.
    refund_warnings_up_to bigint CHECK (refund_warnings_up_to > 0),
    changed_at            timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, currency)
);

-- The refunds made by the rule, one at a time for a dispute. The refund's id is chosen here, before the refund is recorded: a crash in between finds it again.
CREATE TABLE payments.dispute_refunds (
    merchant_id   uuid NOT NULL,
    dispute_id    uuid NOT NULL,
    refund_id     uuid NOT NULL,
    status        text NOT NULL CHECK (status IN ('started', 'refunded', 'refused', 'failed')),
    attempts      integer NOT NULL CHECK (attempts > 0),
    detail        text,
    next_check_at timestamptz,
    created_at    timestamptz NOT NULL,
    finished_at   timestamptz,
    PRIMARY KEY (merchant_id, dispute_id),
    CHECK ((status = 'started') = (next_check_at IS NOT NULL)),
    CHECK ((status = 'started') = (finished_at IS NULL))
);

CREATE INDEX dispute_refunds_to_check ON payments.dispute_refunds (next_check_at) WHERE next_check_at IS NOT NULL;
CREATE INDEX disputes_open_warnings ON payments.disputes (created_at) WHERE stage = 'early_warning' AND status = 'warning_needs_response';
