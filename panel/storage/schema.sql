-- What the files of migrations/ lead to. `python -m docs.schema` writes this file.

CREATE TABLE starts (
    key TEXT PRIMARY KEY, kind TEXT NOT NULL, form TEXT NOT NULL, state TEXT NOT NULL,
    operation_id TEXT, message TEXT NOT NULL, asked_at REAL NOT NULL,
    actor TEXT NOT NULL DEFAULT 'the panel'
, owner TEXT NOT NULL DEFAULT '', attempt INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE INDEX starts_open ON starts (state) WHERE state IN ('sending', 'unconfirmed');
CREATE TABLE ranges (
    symbol TEXT NOT NULL, timeframe TEXT NOT NULL, range TEXT NOT NULL, gaps TEXT, asked_at REAL,
    PRIMARY KEY (symbol, timeframe)
) STRICT;
CREATE TABLE plans (
    key TEXT PRIMARY KEY, form TEXT NOT NULL, state TEXT NOT NULL, operation_id TEXT, message TEXT NOT NULL,
    asked_at REAL NOT NULL
) STRICT;
CREATE TABLE operations (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, live INTEGER NOT NULL, state TEXT NOT NULL, strategy TEXT NOT NULL,
    symbol TEXT NOT NULL, timeframe TEXT NOT NULL, created_at REAL NOT NULL, ended_at REAL, seconds REAL,
    evidence TEXT NOT NULL
, number INTEGER NOT NULL DEFAULT 0, packed BLOB, partial INTEGER NOT NULL DEFAULT 0) STRICT;
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
    operation_id TEXT NOT NULL, at REAL NOT NULL, what TEXT NOT NULL, actor TEXT NOT NULL, outcome TEXT NOT NULL
) STRICT;
CREATE INDEX requests_of ON requests (operation_id, at);
CREATE TABLE promises (
    operation_id TEXT PRIMARY KEY, at REAL NOT NULL, low REAL NOT NULL, high REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE watches (since REAL PRIMARY KEY, until REAL NOT NULL) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX starts_by_owner ON starts (owner, attempt) WHERE owner != '';
CREATE TABLE messages (
    id TEXT NOT NULL, channel TEXT NOT NULL, title TEXT NOT NULL, body TEXT NOT NULL, state TEXT NOT NULL,
    attempts INTEGER NOT NULL, made_at REAL NOT NULL, due_at REAL NOT NULL, problem TEXT NOT NULL,
    PRIMARY KEY (id, channel)
) STRICT;
CREATE INDEX messages_waiting ON messages (channel, made_at) WHERE state = 'waiting';
CREATE TABLE channels (id TEXT PRIMARY KEY, url TEXT NOT NULL, added_at REAL NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE notification_rules (rule TEXT PRIMARY KEY, is_on INTEGER NOT NULL, about TEXT NOT NULL DEFAULT '') STRICT, WITHOUT ROWID;
CREATE TABLE changes (seq INTEGER PRIMARY KEY AUTOINCREMENT, operation_id TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE queue (
    key TEXT PRIMARY KEY, kind TEXT NOT NULL, form TEXT NOT NULL, state TEXT NOT NULL, operation_id TEXT,
    message TEXT NOT NULL, attempts INTEGER NOT NULL, plan TEXT NOT NULL, asked_at REAL NOT NULL, place REAL NOT NULL,
    held INTEGER NOT NULL, actor TEXT NOT NULL
, settled_at REAL) STRICT;
CREATE INDEX queue_open ON queue (place) WHERE state IN ('waiting', 'starting', 'running', 'unconfirmed');
CREATE INDEX queue_plan ON queue (plan) WHERE plan != '';
CREATE INDEX starts_by_time ON starts (asked_at);
CREATE TABLE queue_moves (key TEXT PRIMARY KEY, at REAL NOT NULL) STRICT;
CREATE TABLE batches (
    key TEXT PRIMARY KEY, title TEXT NOT NULL, form TEXT NOT NULL, made_at REAL NOT NULL, actor TEXT NOT NULL,
    stopped INTEGER NOT NULL DEFAULT 0
, shelf INTEGER NOT NULL DEFAULT 0, shelf_before INTEGER NOT NULL DEFAULT 0, shelved_at REAL NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
CREATE INDEX batches_made ON batches (made_at);
CREATE TABLE batch_runs (
    key TEXT PRIMARY KEY, batch TEXT NOT NULL, number INTEGER NOT NULL, role TEXT NOT NULL, kind TEXT NOT NULL,
    form TEXT NOT NULL, settings TEXT NOT NULL, waits_for TEXT NOT NULL, state TEXT NOT NULL, message TEXT NOT NULL,
    operation_id TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX batch_runs_of ON batch_runs (batch, number);
CREATE INDEX batch_runs_open ON batch_runs (state) WHERE state IN ('waiting', 'queued');
CREATE TABLE audit (
    number INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, who TEXT NOT NULL, via TEXT NOT NULL, address TEXT NOT NULL,
    what TEXT NOT NULL, subject TEXT NOT NULL, outcome TEXT NOT NULL, detail TEXT NOT NULL, request TEXT NOT NULL
) STRICT;
CREATE INDEX audit_by_who ON audit (who, number);
CREATE INDEX audit_by_what ON audit (what, number);
CREATE TABLE token_uses (digest TEXT PRIMARY KEY, used_at REAL NOT NULL, address TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX operations_partial ON operations (created_at) WHERE partial = 1;
CREATE TABLE labels (
    operation_id TEXT PRIMARY KEY, version INTEGER NOT NULL, name TEXT NOT NULL, note TEXT NOT NULL, tags TEXT NOT NULL,
    star INTEGER NOT NULL, shelf INTEGER NOT NULL, changed_at REAL NOT NULL, actor TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE facets (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, state TEXT NOT NULL, strategy TEXT NOT NULL, symbol TEXT NOT NULL,
    timeframe TEXT NOT NULL, error TEXT NOT NULL, name TEXT NOT NULL, note TEXT NOT NULL, tags TEXT NOT NULL,
    star INTEGER NOT NULL, shelf INTEGER NOT NULL, words TEXT NOT NULL, runs INTEGER NOT NULL DEFAULT 0,
    UNIQUE (kind, state, strategy, symbol, timeframe, error, name, note, tags, star, shelf)
) STRICT;
CREATE TABLE listing (
    number INTEGER PRIMARY KEY, facet INTEGER NOT NULL, id TEXT NOT NULL, created_at REAL NOT NULL,
    ended_at REAL NOT NULL, -- 9e12 while it is live: what runs sorts before all that ended
    seconds REAL
) STRICT;
CREATE TRIGGER listing_added AFTER INSERT ON listing BEGIN
    UPDATE facets SET runs = runs + 1 WHERE id = new.facet;
END;
CREATE TRIGGER listing_moved AFTER UPDATE OF facet ON listing WHEN old.facet != new.facet BEGIN
    UPDATE facets SET runs = runs + 1 WHERE id = new.facet;
    UPDATE facets SET runs = runs - 1 WHERE id = old.facet;
    DELETE FROM facets WHERE id = old.facet AND runs < 1;
    UPDATE results SET facet = new.facet WHERE number = new.number;
END;
CREATE TRIGGER listing_removed AFTER DELETE ON listing BEGIN
    UPDATE facets SET runs = runs - 1 WHERE id = old.facet;
    DELETE FROM facets WHERE id = old.facet AND runs < 1;
END;
CREATE TABLE measures (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE results (
    number INTEGER NOT NULL, measure INTEGER NOT NULL, value REAL NOT NULL, facet INTEGER NOT NULL,
    PRIMARY KEY (number, measure)
) STRICT, WITHOUT ROWID;
CREATE INDEX listing_facet ON listing (facet, created_at);
CREATE INDEX results_by_value ON results (measure, value, number, facet);
CREATE TABLE undos (
    key TEXT PRIMARY KEY, made_at REAL NOT NULL, what TEXT NOT NULL, before TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE views (name TEXT PRIMARY KEY, query TEXT NOT NULL, made_at REAL NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE model_labels (
    model TEXT PRIMARY KEY, version INTEGER NOT NULL, note TEXT NOT NULL, retired INTEGER NOT NULL,
    changed_at REAL NOT NULL, actor TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE days (day INTEGER PRIMARY KEY) STRICT;
CREATE TABLE schedules (
    key TEXT PRIMARY KEY, kind TEXT NOT NULL, form TEXT NOT NULL, days TEXT NOT NULL, at TEXT NOT NULL, zone TEXT NOT NULL,
    active INTEGER NOT NULL, next_at REAL, made_at REAL NOT NULL, actor TEXT NOT NULL
, digest TEXT NOT NULL DEFAULT '', deleted_at REAL) STRICT;
CREATE TABLE schedule_runs (
    schedule TEXT NOT NULL, due REAL NOT NULL, entry TEXT NOT NULL, queued_at REAL NOT NULL, missed INTEGER NOT NULL,
    note TEXT NOT NULL, PRIMARY KEY (schedule, due)
) STRICT;
CREATE INDEX listing_created ON listing (created_at, number, facet);
CREATE INDEX listing_ended ON listing (ended_at, number, facet);
CREATE INDEX listing_took ON listing (seconds, number, facet);
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
INSERT INTO measures (id, name) VALUES (1, 'test_accuracy');
INSERT INTO measures (id, name) VALUES (2, 'baseline_accuracy');
INSERT INTO measures (id, name) VALUES (3, 'test_loss');
INSERT INTO measures (id, name) VALUES (4, 'precision');
INSERT INTO measures (id, name) VALUES (5, 'recall');
INSERT INTO measures (id, name) VALUES (6, 'f1_score');
INSERT INTO measures (id, name) VALUES (7, 'best_val_accuracy');
INSERT INTO measures (id, name) VALUES (8, 'epochs_trained');
INSERT INTO measures (id, name) VALUES (9, 'training_time');
INSERT INTO measures (id, name) VALUES (10, 'parameters_count');
INSERT INTO measures (id, name) VALUES (11, 'total_return_pct');
INSERT INTO measures (id, name) VALUES (12, 'buy_and_hold_return_pct');
INSERT INTO measures (id, name) VALUES (13, 'max_drawdown_pct');
INSERT INTO measures (id, name) VALUES (14, 'sharpe_ratio');
INSERT INTO measures (id, name) VALUES (15, 'total_trades');
INSERT INTO measures (id, name) VALUES (16, 'win_rate');
INSERT INTO measures (id, name) VALUES (17, 'profit_factor');
INSERT INTO measures (id, name) VALUES (18, 'total_commission');
INSERT INTO measures (id, name) VALUES (19, 'total_slippage');
INSERT INTO measures (id, name) VALUES (20, 'rows_downloaded');
INSERT INTO measures (id, name) VALUES (21, 'gaps_filled');
