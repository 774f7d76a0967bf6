-- When an entry left the queue, so that people are told of those that were refused after they had waited.

ALTER TABLE queue ADD COLUMN settled_at REAL;
