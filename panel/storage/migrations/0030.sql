-- What a key made is told from what another request with this key asks for, also after it was changed or deleted.

ALTER TABLE schedules ADD COLUMN digest TEXT NOT NULL DEFAULT ''; -- '' of one that was made before this
ALTER TABLE schedules ADD COLUMN deleted_at REAL;
