-- The queue of data loads becomes a queue of starts of every kind; a plan's training is an entry of its own.

CREATE TABLE queue (
    key TEXT PRIMARY KEY, kind TEXT NOT NULL, form TEXT NOT NULL, state TEXT NOT NULL, operation_id TEXT,
    message TEXT NOT NULL, attempts INTEGER NOT NULL, plan TEXT NOT NULL, asked_at REAL NOT NULL, place REAL NOT NULL,
    held INTEGER NOT NULL, by_whom TEXT NOT NULL
) STRICT;
INSERT INTO queue (key, kind, form, state, operation_id, message, attempts, plan, asked_at, place, held, by_whom)
SELECT key, 'data_load', form, state, operation_id, message, attempts, plan, asked_at, asked_at, 0, 'the panel' FROM loads;
INSERT INTO queue (key, kind, form, state, operation_id, message, attempts, plan, asked_at, place, held, by_whom)
SELECT key || '-train', 'training', form, CASE state WHEN 'started' THEN 'done' WHEN 'stopped' THEN 'refused' WHEN 'waiting' THEN 'starting' ELSE state END, operation_id, message, 0,
    key, asked_at, asked_at, 0, 'the panel'
FROM plans WHERE state IN ('starting', 'unconfirmed') OR key IN (SELECT owner FROM starts);
UPDATE starts SET owner = owner || '-train' WHERE owner IN (SELECT key FROM plans);
CREATE INDEX queue_open ON queue (place) WHERE state IN ('waiting', 'starting', 'running', 'unconfirmed');
CREATE INDEX queue_plan ON queue (plan) WHERE plan != '';
CREATE INDEX starts_by_time ON starts (asked_at);
DROP TABLE loads;

CREATE TABLE queue_moves (key TEXT PRIMARY KEY, at REAL NOT NULL) STRICT;  -- requests that have moved an entry
