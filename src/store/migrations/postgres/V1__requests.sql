-- The text of other people may hold the character NUL, which no text of PostgreSQL may: it lies in bytea, or escaped in JSON.
-- Times are milliseconds since 1970. There are no foreign keys: every commit writes whole requests, and their checks cost a third of
-- the submissions.

-- Whose requests they are: issuer and subject together, byte for byte. Rows are never changed, and never removed.
CREATE TABLE owners (
    owner   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer  bytea NOT NULL,
    subject bytea NOT NULL,
    UNIQUE (issuer, subject)
);

-- Stage tables, stored once by content. Rows are never changed, and never removed.
CREATE TABLE timelines (
    timeline   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    definition text NOT NULL
);
CREATE UNIQUE INDEX timelines_by_content ON timelines (md5(definition));

-- A request as it was submitted, and from its end on as it ended. What happens in between to one that workers work on stands in
-- "work". "statuses" has a digit for the status that it was written with and one for each that follows by time alone; "ats" has the
-- times at which those follow: so the status at any time is an expression.
CREATE TABLE requests (
    id           text COLLATE "C" PRIMARY KEY,
    owner        bigint   NOT NULL,
    kind         text     NOT NULL,
    submitted_at bigint   NOT NULL,
    timeline     bigint,
    alias        bytea,
    tags         text     NOT NULL,
    doc          text     NOT NULL,
    ats          bigint[] NOT NULL,
    statuses     text     NOT NULL,
    ends_at      bigint,
    erased_at    bigint,
    has_content  boolean  NOT NULL DEFAULT true,
    bytes        bigint   NOT NULL
) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.05);
CREATE UNIQUE INDEX requests_by_alias ON requests (owner, alias) WHERE alias IS NOT NULL;
CREATE INDEX requests_by_owner ON requests (owner, submitted_at, id);
CREATE INDEX requests_by_time ON requests (submitted_at, id);
CREATE INDEX requests_by_end ON requests (ends_at, id) WHERE ends_at IS NOT NULL;
CREATE INDEX requests_with_content ON requests (ends_at, id) WHERE ends_at IS NOT NULL AND has_content;

-- The requests that workers have yet to finish: narrow, and changed with every lease and heartbeat.
CREATE TABLE work (
    id       text COLLATE "C" PRIMARY KEY,
    kind     text     NOT NULL,
    owner    bigint   NOT NULL,
    ready_at bigint,
    ends_at  bigint,
    doc      text     NOT NULL,
    ats      bigint[] NOT NULL,
    statuses text     NOT NULL
) WITH (
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0.01,
    autovacuum_vacuum_threshold = 500,
    autovacuum_vacuum_cost_delay = 0
);
CREATE INDEX work_by_turn ON work (kind, owner, ready_at, id) WHERE ready_at IS NOT NULL;
CREATE INDEX work_by_time ON work (kind, ready_at) WHERE ready_at IS NOT NULL;
CREATE INDEX work_by_end ON work (ends_at, id) WHERE ends_at IS NOT NULL;

-- Apart from the requests, so that status reads and lists stay narrow.
CREATE TABLE payloads (
    id   text COLLATE "C" PRIMARY KEY,
    body text NOT NULL
);
CREATE TABLE outputs (
    id           text COLLATE "C" PRIMARY KEY,
    content_type text  NOT NULL,
    body         bytea NOT NULL
);

CREATE TABLE events (
    id    text COLLATE "C" NOT NULL,
    seq   bigint GENERATED ALWAYS AS IDENTITY,
    event text NOT NULL,
    PRIMARY KEY (id, seq)
) WITH (autovacuum_vacuum_scale_factor = 0.05);

CREATE TABLE idempotency (
    owner       bigint NOT NULL,
    route       text   NOT NULL,
    key         bytea  NOT NULL,
    fingerprint bytea  NOT NULL,
    id          text COLLATE "C" NOT NULL,
    PRIMARY KEY (owner, route, key)
);
CREATE INDEX idempotency_by_request ON idempotency (id);
