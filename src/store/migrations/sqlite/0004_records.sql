-- What the authorization server keeps: documents, by kind and key. The checksum covers the row.
CREATE TABLE records (
    kind       TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    version    INTEGER NOT NULL,
    expires_at INTEGER,
    body       TEXT    NOT NULL,
    checksum   INTEGER NOT NULL,
    PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX records_expired ON records (expires_at) WHERE expires_at IS NOT NULL;
