-- Webhook endpoints, what they are told, and the timelines that have something to tell.

-- The columns between the name and `body` are copies for the indexes; the checksum covers the id and the body.
CREATE TABLE webhook_endpoints (
    id            TEXT    PRIMARY KEY,
    owner         INTEGER NOT NULL REFERENCES owners,
    -- Of one that is configured.
    name          TEXT,
    is_disabled   INTEGER NOT NULL,
    resting_until INTEGER,
    body          TEXT    NOT NULL,
    checksum      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX webhook_endpoints_by_name ON webhook_endpoints (name) WHERE name IS NOT NULL;
CREATE INDEX webhook_endpoints_by_owner ON webhook_endpoints (owner, id);

-- The id follows from endpoint, request and version: what was told once is not told again.
CREATE TABLE webhook_deliveries (
    id         TEXT    PRIMARY KEY,
    endpoint   TEXT    NOT NULL,
    -- None: a test.
    request    TEXT,
    created_at INTEGER NOT NULL,
    -- None: it has reached its end.
    due_at     INTEGER,
    ended_at   INTEGER,
    body       TEXT    NOT NULL,
    checksum   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_deliveries_of ON webhook_deliveries (endpoint, id);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint, due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX webhook_deliveries_about ON webhook_deliveries (request, id) WHERE request IS NOT NULL;
CREATE INDEX webhook_deliveries_ended ON webhook_deliveries (ended_at) WHERE ended_at IS NOT NULL;

-- Timelines whose stages from `since` are to be told, the next of which begins at `next_at`.
CREATE TABLE webhook_followed (
    request TEXT    PRIMARY KEY,
    since   INTEGER NOT NULL,
    next_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_followed_next ON webhook_followed (next_at, request);
