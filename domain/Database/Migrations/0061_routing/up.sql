-- How a merchant's charges are spread over providers: the rules in their order, as JSON that the application reads and checks.
CREATE TABLE payments.routing (
    merchant_id uuid PRIMARY KEY REFERENCES payments.merchants (id),
    rules       jsonb NOT NULL,
    updated_at  timestamptz NOT NULL
);
