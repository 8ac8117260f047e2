-- The trace of the change that a delivery tells of, so that one trace runs from the request to the merchant's endpoint.
ALTER TABLE payments.webhook_deliveries ADD COLUMN trace_parent text;
