-- A start names the load or plan that it was made for, and which attempt it is. Until now its key said so:
-- "{load}.{attempt}" and "{plan}.train". No other key has a dot.

ALTER TABLE starts ADD COLUMN owner TEXT NOT NULL DEFAULT '';
ALTER TABLE starts ADD COLUMN attempt INTEGER NOT NULL DEFAULT 0;
UPDATE starts SET
    owner = substr(key, 1, instr(key, '.') - 1),
    attempt = iif(key LIKE '%.train', 0, CAST(substr(key, instr(key, '.') + 1) AS INTEGER))
WHERE substr(key, 1, instr(key, '.') - 1) IN (SELECT key FROM loads UNION ALL SELECT key FROM plans);
CREATE UNIQUE INDEX starts_by_owner ON starts (owner, attempt) WHERE owner != '';
