-- Only events whose payload is kept are looked for by time: to be processed again, or to drop the payload. The rest of history
-- must not be walked over every night.
CREATE INDEX provider_events_kept ON payments.provider_events (received_at) WHERE payload IS NOT NULL;
DROP INDEX payments.provider_events_by_time;
