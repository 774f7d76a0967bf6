-- Batches that are archived or deleted: where each was before, and when it was put away, so that this can be taken back.

ALTER TABLE batches ADD COLUMN shelf INTEGER NOT NULL DEFAULT 0;
ALTER TABLE batches ADD COLUMN shelf_before INTEGER NOT NULL DEFAULT 0;
ALTER TABLE batches ADD COLUMN shelved_at REAL NOT NULL DEFAULT 0;
