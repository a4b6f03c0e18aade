-- Requests that workers work on, results, events; and requests that begin later, expire, or are erased.

-- Built anew, since workers' requests have no timeline and no end that is known beforehand.
CREATE TABLE requests_new (
    seq           INTEGER PRIMARY KEY,
    id            TEXT    NOT NULL UNIQUE,
    owner         INTEGER NOT NULL REFERENCES owners,
    kind          TEXT    NOT NULL,
    -- None: workers work on it, and how far it is stands in `work`.
    timeline      INTEGER REFERENCES timelines,
    submitted_at  INTEGER NOT NULL,
    -- When its timeline ends, by itself or by cancellation.
    ends_at       INTEGER,
    cancelled_at  INTEGER,
    alias         TEXT,
    tags          TEXT    NOT NULL,
    trace_id      TEXT,
    not_before    INTEGER,
    deadline      INTEGER,
    -- By how many milliseconds its timeline was advanced.
    skipped       INTEGER NOT NULL,
    version_write INTEGER NOT NULL,
    version_step  INTEGER NOT NULL,
    erased_at     INTEGER,
    checksum      INTEGER NOT NULL
) STRICT;
INSERT INTO requests_new
SELECT seq, id, owner, kind, timeline, submitted_at, finished_at, cancelled_at, alias, tags, NULL, NULL, NULL, 0,
       cancelled_at IS NOT NULL, 0, NULL, checksum
FROM requests ORDER BY seq;
DROP TABLE requests;
ALTER TABLE requests_new RENAME TO requests;
CREATE UNIQUE INDEX requests_by_alias ON requests (owner, alias) WHERE alias IS NOT NULL;
CREATE INDEX requests_by_time ON requests (owner, submitted_at, id);
-- For those who list the requests of all owners.
CREATE INDEX requests_by_submission ON requests (submitted_at);
CREATE INDEX requests_by_end ON requests (ends_at) WHERE ends_at IS NOT NULL;
-- No range of submission times says which were cancelled, or how those get on that were moved in time, and they are few.
CREATE INDEX requests_cancelled ON requests (owner, submitted_at, id) WHERE cancelled_at IS NOT NULL;
CREATE INDEX requests_moved ON requests (owner, submitted_at, id)
    WHERE timeline IS NOT NULL AND (not_before IS NOT NULL OR deadline IS NOT NULL OR skipped <> 0);

-- Whether the checksum covers the request's id too, as in all that are written from here on.
ALTER TABLE payloads ADD COLUMN bound INTEGER NOT NULL DEFAULT 0;

CREATE INDEX idempotency_of ON idempotency (seq);

-- How far the workers are. The columns before `state` are copies for the indexes (`kind` is none when the request is erased), those
-- after `version_step` follow from the others, and the checksum covers them all.
CREATE TABLE work (
    seq                 INTEGER PRIMARY KEY REFERENCES requests,
    id                  TEXT    NOT NULL,
    kind                TEXT,
    owner               INTEGER NOT NULL,
    submitted_at        INTEGER NOT NULL,
    -- 'waiting' until, 'running' until the lease or the attempt ends, or the status that is its end.
    state               TEXT    NOT NULL,
    since               INTEGER NOT NULL,
    until               INTEGER,
    run_until           INTEGER,
    epoch               INTEGER NOT NULL,
    attempt             INTEGER NOT NULL,
    most_attempts       INTEGER NOT NULL,
    started_at          INTEGER,
    cancel_requested_at INTEGER,
    progress            TEXT,
    error               TEXT,
    worker              TEXT,
    version_write       INTEGER NOT NULL,
    version_step        INTEGER NOT NULL,
    -- The status, and which follow, and when, if nobody acts.
    status0             TEXT    NOT NULL,
    at1                 INTEGER,
    status1             TEXT,
    at2                 INTEGER,
    status2             TEXT,
    -- When it can be leased if nobody acts before.
    ready_at            INTEGER,
    -- When it reaches its end if nobody acts; and the same while that end is not written down.
    ends_at             INTEGER,
    settles_at          INTEGER,
    is_open             INTEGER NOT NULL,
    checksum            INTEGER NOT NULL
) STRICT;
CREATE INDEX work_ready ON work (kind, owner, ready_at, id) WHERE ready_at IS NOT NULL;
CREATE INDEX work_open ON work (kind, ready_at, status0, at1, status1, at2, status2) WHERE is_open = 1;
CREATE INDEX work_kinds ON work (kind) WHERE kind IS NOT NULL;
CREATE INDEX work_settles ON work (settles_at) WHERE settles_at IS NOT NULL;
CREATE INDEX work_ends ON work (ends_at) WHERE ends_at IS NOT NULL;
CREATE INDEX work_by_owner ON work (owner, status0, submitted_at, id);
CREATE INDEX work_by_status ON work (status0, submitted_at, id);
CREATE INDEX work_changing ON work (owner, submitted_at, id) WHERE status1 IS NOT NULL;

CREATE TABLE results (
    seq          INTEGER PRIMARY KEY REFERENCES requests,
    content_type TEXT    NOT NULL,
    body         BLOB    NOT NULL,
    checksum     INTEGER NOT NULL
) STRICT;

-- What happened, in order; only added to. What time alone has brought about stands here when somebody has acted since.
CREATE TABLE events (
    seq           INTEGER NOT NULL REFERENCES requests,
    number        INTEGER NOT NULL,
    version_write INTEGER NOT NULL,
    version_step  INTEGER NOT NULL,
    kind          TEXT    NOT NULL,
    at            INTEGER NOT NULL,
    status        TEXT    NOT NULL,
    stage         TEXT    NOT NULL,
    attempt       INTEGER NOT NULL,
    actor         TEXT,
    trace_id      TEXT,
    checksum      INTEGER NOT NULL,
    PRIMARY KEY (seq, number)
) STRICT, WITHOUT ROWID;
