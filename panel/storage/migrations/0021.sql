-- Starts that are repeated by the clock.

CREATE TABLE schedules (
    key TEXT PRIMARY KEY, kind TEXT NOT NULL, form TEXT NOT NULL, days TEXT NOT NULL, at TEXT NOT NULL, zone TEXT NOT NULL,
    active INTEGER NOT NULL, next_at REAL, made_at REAL NOT NULL, by_whom TEXT NOT NULL
) STRICT;
CREATE TABLE schedule_runs (
    schedule TEXT NOT NULL, due REAL NOT NULL, entry TEXT NOT NULL, queued_at REAL NOT NULL, missed INTEGER NOT NULL,
    note TEXT NOT NULL, PRIMARY KEY (schedule, due)
) STRICT;

-- Files that an early form of step 12 made are without it.
CREATE TABLE IF NOT EXISTS queue_moves (key TEXT PRIMARY KEY, at REAL NOT NULL) STRICT;
