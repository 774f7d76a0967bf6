-- Notifications: messages that wait or were sent, channels that people added, and which rules are on.

CREATE TABLE messages (
    id TEXT NOT NULL, channel TEXT NOT NULL, title TEXT NOT NULL, body TEXT NOT NULL, state TEXT NOT NULL,
    attempts INTEGER NOT NULL, made_at REAL NOT NULL, due_at REAL NOT NULL, problem TEXT NOT NULL,
    PRIMARY KEY (id, channel)
) STRICT;
CREATE INDEX messages_waiting ON messages (channel, made_at) WHERE state = 'waiting';
CREATE TABLE channels (id TEXT PRIMARY KEY, url TEXT NOT NULL, added_at REAL NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE notification_rules (rule TEXT PRIMARY KEY, is_on INTEGER NOT NULL) STRICT, WITHOUT ROWID;
