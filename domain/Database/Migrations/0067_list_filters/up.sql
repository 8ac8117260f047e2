-- What lists are filtered by, the merchant first and the id last: each filter is one look-up that returns rows in the list's order.
CREATE INDEX charges_by_status ON payments.charges (merchant_id, status, id);
CREATE INDEX charges_by_amount ON payments.charges (merchant_id, amount, id);
CREATE INDEX charges_by_customer ON payments.charges (merchant_id, customer, id) WHERE customer IS NOT NULL;
CREATE INDEX events_by_type ON payments.events (merchant_id, type, id);

-- Most balance transactions are of charges, which the primary key serves; so the way of a charge pays nothing for this index.
CREATE INDEX balance_transactions_by_type ON payments.balance_transactions (merchant_id, type, id) WHERE type <> 'charge';
