-- Webhook endpoints, what they are told, and the requests that have something to tell.

-- The columns between the name and "body" are copies for the indexes.
CREATE TABLE webhook_endpoints (
    id            text COLLATE "C" PRIMARY KEY,
    owner         bigint  NOT NULL,
    -- Of one that is configured.
    name          text    UNIQUE,
    is_disabled   boolean NOT NULL,
    resting_until bigint,
    body          text    NOT NULL
);
CREATE INDEX webhook_endpoints_by_owner ON webhook_endpoints (owner, id);

-- The id follows from endpoint, request and version: what was told once is not told again.
CREATE TABLE webhook_deliveries (
    id         text COLLATE "C" PRIMARY KEY,
    endpoint   text COLLATE "C" NOT NULL,
    -- None: a test.
    request    text COLLATE "C",
    created_at bigint NOT NULL,
    -- None: it has reached its end.
    due_at     bigint,
    ended_at   bigint,
    body       text   NOT NULL
);
CREATE INDEX webhook_deliveries_of ON webhook_deliveries (endpoint, id);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint, due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX webhook_deliveries_about ON webhook_deliveries (request, id) WHERE request IS NOT NULL;
CREATE INDEX webhook_deliveries_ended ON webhook_deliveries (ended_at) WHERE ended_at IS NOT NULL;

-- Requests of which something is to be told at "next_at": their submission, and the stages of timelines from "since" on.
CREATE TABLE webhook_followed (
    request text COLLATE "C" PRIMARY KEY,
    since   bigint NOT NULL,
    next_at bigint NOT NULL
);
CREATE INDEX webhook_followed_next ON webhook_followed (next_at, request);
