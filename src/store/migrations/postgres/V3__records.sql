-- What the authorization server keeps: documents, by kind and key.
CREATE TABLE records (
    kind       text   COLLATE "C" NOT NULL,
    key        text   COLLATE "C" NOT NULL,
    version    bigint NOT NULL,
    expires_at bigint,
    body       text   NOT NULL,
    PRIMARY KEY (kind, key)
);
CREATE INDEX records_expired ON records (expires_at) WHERE expires_at IS NOT NULL;
