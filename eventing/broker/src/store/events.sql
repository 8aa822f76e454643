-- The event log. The newest event is never deleted, so `seq` only rises.
CREATE TABLE events (
    seq         INTEGER PRIMARY KEY,
    type        INTEGER NOT NULL,             -- `event_types.id`
    source      TEXT    NOT NULL,
    subject     TEXT,
    id          TEXT    NOT NULL,
    received_at INTEGER NOT NULL,
    hops        INTEGER NOT NULL,
    via         TEXT,
    cause       BLOB,                         -- the task whose function sent it
    attributes  BLOB    NOT NULL,             -- all context attributes, JSON event format
    data        BLOB                          -- NULL: none
);
CREATE INDEX events_of_type ON events (type);

-- The types in use: few, so an event names its by number.
CREATE TABLE event_types (
    id   INTEGER PRIMARY KEY,
    type TEXT    NOT NULL UNIQUE
);

ALTER TABLE tasks ADD COLUMN event INTEGER;                   -- `events.seq`, for a task of the log
ALTER TABLE tasks ADD COLUMN via_trigger TEXT;                -- the name of the trigger that took it
ALTER TABLE tasks ADD COLUMN ordering INTEGER;                -- tasks with the same one run in order
ALTER TABLE tasks ADD COLUMN seen INTEGER NOT NULL DEFAULT 0; -- the log's end when it was accepted
ALTER TABLE tasks ADD COLUMN redrive_of BLOB;
ALTER TABLE tasks ADD COLUMN redriven_as BLOB;

CREATE INDEX tasks_of_event ON tasks (event) WHERE event IS NOT NULL;
CREATE INDEX dead_letters ON tasks (id) WHERE dead = 1;

-- How far a suspended task that waits for events has looked at the log; NULL: to its end.
ALTER TABLE suspensions ADD COLUMN behind INTEGER;

-- Small documents that the broker keeps for others.
CREATE TABLE notes (
    kind  TEXT NOT NULL,
    name  TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (kind, name)
) WITHOUT ROWID;
