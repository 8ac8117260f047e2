-- A file that a partner dropped, by the hash of its bytes. lines_done moves in the transaction of the lines it counts, so a
-- run that was cut off goes on behind the last line that was applied, and a file that comes again is known by its hash.
CREATE TABLE payments.dispute_files (
    partner     text NOT NULL,
    hash        bytea NOT NULL CHECK (length(hash) = 32),
    name        text NOT NULL,
    status      text NOT NULL CHECK (status IN ('processing', 'completed', 'rejected')),
    lines_done  bigint NOT NULL CHECK (lines_done >= 0),
    applied     bigint NOT NULL,
    duplicate   bigint NOT NULL,
    unmatched   bigint NOT NULL,
    rejected    bigint NOT NULL,
    -- How often the same bytes arrived.
    arrivals    integer NOT NULL CHECK (arrivals > 0),
    started_at  timestamptz NOT NULL,
    finished_at timestamptz,
    PRIMARY KEY (partner, hash),
    CHECK ((finished_at IS NULL) = (status = 'processing'))
);

CREATE INDEX dispute_files_by_time ON payments.dispute_files (started_at);

-- Lines that were not applied; written to the partner's rejects once the file is done. Digits that may be card numbers are masked.
CREATE TABLE payments.dispute_file_rejects (
    partner text NOT NULL,
    hash    bytea NOT NULL,
    line    bigint NOT NULL,
    reason  text NOT NULL,
    detail  text,
    content text,
    PRIMARY KEY (partner, hash, line),
    FOREIGN KEY (partner, hash) REFERENCES payments.dispute_files (partner, hash)
);
