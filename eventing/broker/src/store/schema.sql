-- One row a task. `id` is a UUID of version 7, so new rows are appended at the right edge.
CREATE TABLE tasks (
    id          BLOB    NOT NULL PRIMARY KEY,
    state       INTEGER NOT NULL,
    pool        TEXT    NOT NULL,
    capability  TEXT    NOT NULL,
    principal   TEXT    NOT NULL,
    round       INTEGER NOT NULL,
    attempt     INTEGER NOT NULL,
    tokens      BLOB    NOT NULL,             -- the attempts of this round, 16 bytes each
    accepted_at INTEGER NOT NULL,             -- all times: milliseconds since the epoch
    started_at  INTEGER,                      -- the round's first claim, and later by what it waited for a slot since
    changed_at  INTEGER NOT NULL,
    due         INTEGER NOT NULL,             -- accepted: not before; running: the deadline; suspended: the answers'
    expires_at  INTEGER NOT NULL,             -- the first claim comes before this, or never
    dead        INTEGER NOT NULL DEFAULT 0,
    policy      INTEGER NOT NULL,             -- `policies.id`
    trace       TEXT    NOT NULL,
    reply_to    BLOB,
    affinity    TEXT,
    key         TEXT,
    attributes  BLOB,                         -- an event's context attributes; NULL for a call
    request     BLOB,                         -- NULL when it is in `payloads`
    ending      BLOB,
    history     TEXT    NOT NULL              -- one JSON object a line
) WITHOUT ROWID;

-- The delivery policies in use: few, so a row names its by number.
CREATE TABLE policies (
    id     INTEGER PRIMARY KEY,
    policy TEXT    NOT NULL UNIQUE            -- JSON
);

-- Large requests stand apart, so that a change of state does not write them again.
CREATE TABLE payloads (
    task BLOB NOT NULL PRIMARY KEY,
    data BLOB NOT NULL
) WITHOUT ROWID;

CREATE INDEX waiting ON tasks (expires_at) WHERE state = 0;

-- No task with a smaller id runs: where a restart begins to look for what was interrupted. An
-- index over the running ones would cost every call two more pages.
CREATE TABLE floor (
    only INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
    id   BLOB    NOT NULL
);
INSERT INTO floor (only, id) VALUES (1, x'00000000000000000000000000000000');

CREATE TABLE keys (
    principal  TEXT    NOT NULL,
    pool       TEXT    NOT NULL,
    capability TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    task       BLOB    NOT NULL,
    arguments  BLOB    NOT NULL,              -- SHA-256
    at         INTEGER NOT NULL,
    PRIMARY KEY (principal, pool, capability, key)
) WITHOUT ROWID;
