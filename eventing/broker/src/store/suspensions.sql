-- What tasks asked and were answered. Only those that were suspended have a row.
CREATE TABLE suspensions (
    task     BLOB    NOT NULL PRIMARY KEY,
    asks     BLOB    NOT NULL,                -- the open asks, a JSON object
    answers  BLOB    NOT NULL,                -- all answers so far, a JSON object
    revision TEXT,                            -- the one that asked last
    due      INTEGER                          -- answered before this, or never; NULL: not asleep
) WITHOUT ROWID;

CREATE INDEX unanswered ON suspensions (due) WHERE due IS NOT NULL;

-- The results of committed steps.
CREATE TABLE steps (
    task   BLOB NOT NULL,
    name   TEXT NOT NULL,
    result BLOB NOT NULL,                     -- JSON
    PRIMARY KEY (task, name)
) WITHOUT ROWID;
