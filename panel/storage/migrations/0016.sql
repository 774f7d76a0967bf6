-- Runs are told apart: names, notes, tags, stars, archived and deleted runs. Lists are found and counted quickly.
--
-- `facets` has one row for each combination of what runs can be filtered by, and how many runs have it: a list is
-- counted by adding those up. `listing` is the narrow table that lists are sorted in, `results` has the numbers that
-- runs are compared by. All three follow from `operations` and `labels`.

DROP INDEX operations_listed;
DROP INDEX operations_by_end;
ALTER TABLE operations ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
ALTER TABLE operations ADD COLUMN packed BLOB;
ALTER TABLE operations ADD COLUMN partial INTEGER NOT NULL DEFAULT 0;
UPDATE operations SET number = rowid, partial = live = 0
    AND json_extract(evidence, '$.snapshot.full') = 0 AND json_extract(evidence, '$.forgotten') = 0;
CREATE INDEX operations_partial ON operations (created_at) WHERE partial = 1;

CREATE TABLE labels (
    operation_id TEXT PRIMARY KEY, version INTEGER NOT NULL, name TEXT NOT NULL, note TEXT NOT NULL, tags TEXT NOT NULL,
    star INTEGER NOT NULL, shelf INTEGER NOT NULL, changed_at REAL NOT NULL, by_whom TEXT NOT NULL
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

INSERT INTO facets (kind, state, strategy, symbol, timeframe, error, name, note, tags, star, shelf, words)
SELECT DISTINCT kind, state, strategy, symbol, timeframe, wrong, '', '', '', 0, 0,
    lower(kind || ' ' || strategy || ' ' || symbol || ' ' || timeframe || ' ' || wrong)
FROM (SELECT *, lower(substr(json_extract(evidence, '$.snapshot.error'), 1, 500)) AS wrong FROM operations);
INSERT INTO listing (number, facet, id, created_at, ended_at, seconds)
SELECT number, facets.id, operations.id, created_at, iif(live, 9e12, coalesce(ended_at, created_at)), seconds
FROM operations JOIN facets USING (kind, state, strategy, symbol, timeframe)
WHERE facets.error = lower(substr(json_extract(evidence, '$.snapshot.error'), 1, 500));
INSERT INTO measures (name) VALUES
    ('test_accuracy'), ('baseline_accuracy'), ('test_loss'), ('precision'), ('recall'), ('f1_score'),
    ('best_val_accuracy'), ('epochs_trained'), ('training_time'), ('parameters_count'), ('total_return_pct'),
    ('buy_and_hold_return_pct'), ('max_drawdown_pct'), ('sharpe_ratio'), ('total_trades'), ('win_rate'),
    ('profit_factor'), ('total_commission'), ('total_slippage'), ('rows_downloaded'), ('gaps_filled');
INSERT INTO results (number, measure, value, facet)
SELECT number, measure, CAST(value AS REAL), facet FROM (
    SELECT operations.number, measures.id AS measure, listing.facet,
        json_extract(evidence, '$.snapshot.result.' || CASE
            WHEN measures.id <= 6 THEN 'test_metrics.' WHEN measures.id <= 9 THEN 'training_metrics.'
            WHEN measures.id = 10 THEN 'model_info.' WHEN measures.id <= 19 THEN 'metrics.' ELSE '' END || name) AS value
    FROM operations JOIN listing USING (number) CROSS JOIN measures
) WHERE typeof(value) IN ('integer', 'real');

CREATE INDEX listing_created ON listing (created_at, facet);
CREATE INDEX listing_ended ON listing (ended_at, facet);
CREATE INDEX listing_took ON listing (seconds, facet);
CREATE INDEX listing_facet ON listing (facet, created_at);
CREATE INDEX results_by_value ON results (measure, value, number, facet);
ALTER TABLE operations DROP COLUMN words;

CREATE TABLE undos (
    key TEXT PRIMARY KEY, made_at REAL NOT NULL, what TEXT NOT NULL, before TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE views (name TEXT PRIMARY KEY, query TEXT NOT NULL, made_at REAL NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE model_labels (
    model TEXT PRIMARY KEY, version INTEGER NOT NULL, note TEXT NOT NULL, retired INTEGER NOT NULL,
    changed_at REAL NOT NULL, by_whom TEXT NOT NULL
) STRICT, WITHOUT ROWID;
