-- What the platform makes up once and must know again after a restart.
CREATE TABLE secrets (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Legacy sessions. `handle` is made from the session's id, which is not stored.
CREATE TABLE sessions (
    handle TEXT PRIMARY KEY,
    principal TEXT NOT NULL,
    transport TEXT NOT NULL,
    revision TEXT NOT NULL,
    client TEXT NOT NULL,
    level TEXT NOT NULL,
    -- A JSON array of URIs.
    subscriptions TEXT NOT NULL,
    -- Milliseconds since the Unix epoch.
    created INTEGER NOT NULL,
    used INTEGER NOT NULL,
    -- Of a WebSocket that can be resumed: who owns it, and how many messages came from the client.
    epoch INTEGER NOT NULL DEFAULT 0,
    received INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_used ON sessions (used);

-- What a WebSocket's client has not acknowledged, by the number of its frame.
CREATE TABLE frames (
    handle TEXT NOT NULL,
    number INTEGER NOT NULL,
    -- An answer that the broker knows is a task's id and the JSON-RPC id; others are text.
    task TEXT,
    request TEXT,
    text TEXT,
    PRIMARY KEY (handle, number)
) STRICT, WITHOUT ROWID;

-- Calls of such a session that are not answered yet.
CREATE TABLE calls (
    handle TEXT NOT NULL,
    task TEXT NOT NULL,
    request TEXT NOT NULL,
    PRIMARY KEY (handle, task)
) STRICT, WITHOUT ROWID;
