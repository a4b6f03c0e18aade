-- Requests that pass through a timeline.

-- Whose requests they are: issuer and subject together, byte for byte.
CREATE TABLE owners (
    owner   INTEGER PRIMARY KEY,
    issuer  TEXT NOT NULL,
    subject TEXT NOT NULL,
    UNIQUE (issuer, subject)
) STRICT;

-- Stage tables, stored once by content and never changed.
CREATE TABLE timelines (
    timeline   INTEGER PRIMARY KEY,
    definition TEXT NOT NULL UNIQUE
) STRICT;

-- Times are milliseconds since 1970. The checksum covers the row together with the owner and the definition that it names.
CREATE TABLE requests (
    seq          INTEGER PRIMARY KEY,
    id           TEXT    NOT NULL UNIQUE,
    owner        INTEGER NOT NULL REFERENCES owners,
    kind         TEXT    NOT NULL,
    timeline     INTEGER NOT NULL REFERENCES timelines,
    submitted_at INTEGER NOT NULL,
    finished_at  INTEGER NOT NULL,
    cancelled_at INTEGER,
    alias        TEXT,
    tags         TEXT    NOT NULL,
    checksum     INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX requests_by_alias ON requests (owner, alias) WHERE alias IS NOT NULL;
CREATE INDEX requests_by_time ON requests (owner, submitted_at, id);
-- No range of submission times says which were cancelled, and they are few.
CREATE INDEX requests_cancelled ON requests (owner, submitted_at, id) WHERE cancelled_at IS NOT NULL;

-- Apart from the requests, so that status reads and lists stay narrow.
CREATE TABLE payloads (
    seq      INTEGER PRIMARY KEY REFERENCES requests,
    body     TEXT    NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;

CREATE TABLE idempotency (
    owner       INTEGER NOT NULL REFERENCES owners,
    route       TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    fingerprint BLOB    NOT NULL,
    seq         INTEGER NOT NULL REFERENCES requests,
    checksum    INTEGER NOT NULL,
    PRIMARY KEY (owner, route, key)
) STRICT, WITHOUT ROWID;
