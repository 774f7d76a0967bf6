-- Who asked for something is called the actor everywhere.

ALTER TABLE starts RENAME COLUMN by_whom TO actor;
ALTER TABLE requests RENAME COLUMN by_whom TO actor;
ALTER TABLE labels RENAME COLUMN by_whom TO actor;
ALTER TABLE model_labels RENAME COLUMN by_whom TO actor;
ALTER TABLE queue RENAME COLUMN by_whom TO actor;
ALTER TABLE batches RENAME COLUMN by_whom TO actor;
ALTER TABLE schedules RENAME COLUMN by_whom TO actor;
