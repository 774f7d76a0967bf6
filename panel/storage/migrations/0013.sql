-- Batches: what was asked for once, and the runs that it consists of. A run is started through the queue under its own key.

CREATE TABLE batches (
    key TEXT PRIMARY KEY, title TEXT NOT NULL, form TEXT NOT NULL, made_at REAL NOT NULL, by_whom TEXT NOT NULL,
    stopped INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX batches_made ON batches (made_at);
CREATE TABLE batch_runs (
    key TEXT PRIMARY KEY, batch TEXT NOT NULL, number INTEGER NOT NULL, role TEXT NOT NULL, kind TEXT NOT NULL,
    form TEXT NOT NULL, settings TEXT NOT NULL, waits_for TEXT NOT NULL, state TEXT NOT NULL, message TEXT NOT NULL,
    operation_id TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX batch_runs_of ON batch_runs (batch, number);
CREATE INDEX batch_runs_open ON batch_runs (state) WHERE state IN ('waiting', 'queued');
