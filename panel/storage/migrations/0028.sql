-- What was asked for of many runs at once, by its one-time key: a repeat gets the answer of the first, for the same runs.

CREATE TABLE bulk (
    key TEXT PRIMARY KEY,
    digest TEXT NOT NULL,
    action TEXT NOT NULL,
    ids TEXT NOT NULL,
    made_at REAL NOT NULL,
    results TEXT,
    done_at REAL
) WITHOUT ROWID;
CREATE INDEX bulk_made ON bulk (made_at);
