-- What a rule of notifications is about beyond being on: the tags of runs.

ALTER TABLE notification_rules ADD COLUMN about TEXT NOT NULL DEFAULT '';
