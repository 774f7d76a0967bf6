-- The order in which operations last changed: a number that only grows, and is never given twice.

CREATE TABLE changes (seq INTEGER PRIMARY KEY AUTOINCREMENT, operation_id TEXT NOT NULL UNIQUE) STRICT;
INSERT INTO changes (operation_id) SELECT id FROM operations ORDER BY coalesce(ended_at, created_at);
