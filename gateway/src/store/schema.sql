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
    -- `all`, `search`, or empty where the client did not say.
    tools TEXT NOT NULL DEFAULT '',
    -- A JSON array of URIs.
    subscriptions TEXT NOT NULL,
    -- Milliseconds since the Unix epoch.
    created INTEGER NOT NULL,
    used INTEGER NOT NULL,
    -- Of a WebSocket that can be resumed: who owns it, how many messages came from the client, and
    -- how many frames it has, so that they are forgotten.
    epoch INTEGER NOT NULL DEFAULT 0,
    received INTEGER NOT NULL DEFAULT 0,
    acknowledged INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_used ON sessions (used);

-- Frames of such a session that its client may not have, by number: answers and requests. An
-- answer that the broker knows is a task and the JSON-RPC id, all others are text.
CREATE TABLE frames (
    handle TEXT NOT NULL,
    number INTEGER NOT NULL,
    task TEXT,
    request TEXT,
    text TEXT,
    PRIMARY KEY (handle, number)
) STRICT, WITHOUT ROWID;

-- Its requests that are not answered yet, by JSON-RPC id; those that became a task, with it.
CREATE TABLE flights (
    handle TEXT NOT NULL,
    request TEXT NOT NULL,
    task TEXT,
    PRIMARY KEY (handle, request)
) STRICT, WITHOUT ROWID;
