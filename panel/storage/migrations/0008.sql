-- The schema of version 8 of the file, from nothing. A released migration is never changed.

CREATE TABLE starts (
    key TEXT PRIMARY KEY, kind TEXT NOT NULL, form TEXT NOT NULL, state TEXT NOT NULL,
    operation_id TEXT, message TEXT NOT NULL, asked_at REAL NOT NULL,
    by_whom TEXT NOT NULL DEFAULT 'the panel'
) STRICT;
CREATE INDEX starts_open ON starts (state) WHERE state IN ('sending', 'unconfirmed');
CREATE TABLE ranges (
    symbol TEXT NOT NULL, timeframe TEXT NOT NULL, range TEXT NOT NULL, gaps TEXT, asked_at REAL,
    PRIMARY KEY (symbol, timeframe)
) STRICT;
CREATE TABLE loads (
    key TEXT PRIMARY KEY, form TEXT NOT NULL, state TEXT NOT NULL, operation_id TEXT, message TEXT NOT NULL,
    attempts INTEGER NOT NULL, plan TEXT NOT NULL, asked_at REAL NOT NULL
) STRICT;
CREATE TABLE plans (
    key TEXT PRIMARY KEY, form TEXT NOT NULL, state TEXT NOT NULL, operation_id TEXT, message TEXT NOT NULL,
    asked_at REAL NOT NULL
) STRICT;
CREATE TABLE operations (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, live INTEGER NOT NULL, state TEXT NOT NULL, strategy TEXT NOT NULL,
    symbol TEXT NOT NULL, timeframe TEXT NOT NULL, created_at REAL NOT NULL, ended_at REAL, seconds REAL,
    words TEXT NOT NULL, evidence TEXT NOT NULL
) STRICT;
CREATE INDEX operations_by_end ON operations (ended_at DESC);
CREATE INDEX operations_live ON operations (live) WHERE live = 1;
CREATE INDEX starts_by_operation ON starts (operation_id);
CREATE TABLE epochs (
    operation_id TEXT NOT NULL, number INTEGER NOT NULL, train_loss REAL, val_loss REAL, train_accuracy REAL,
    val_accuracy REAL, seen_at REAL NOT NULL, PRIMARY KEY (operation_id, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE readings (
    operation_id TEXT NOT NULL, at REAL NOT NULL, state TEXT NOT NULL, word TEXT NOT NULL, headline TEXT NOT NULL,
    percentage REAL NOT NULL, step TEXT NOT NULL, epochs INTEGER NOT NULL, PRIMARY KEY (operation_id, at)
) STRICT, WITHOUT ROWID;
CREATE TABLE requests (
    operation_id TEXT NOT NULL, at REAL NOT NULL, what TEXT NOT NULL, by_whom TEXT NOT NULL, outcome TEXT NOT NULL
) STRICT;
CREATE INDEX requests_of ON requests (operation_id, at);
CREATE INDEX operations_listed ON operations (
    created_at DESC, kind, state, strategy, symbol, ended_at, seconds, words
);
CREATE TABLE promises (
    operation_id TEXT PRIMARY KEY, at REAL NOT NULL, low REAL NOT NULL, high REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE watches (since REAL PRIMARY KEY, until REAL NOT NULL) STRICT, WITHOUT ROWID;
