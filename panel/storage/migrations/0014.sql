-- The audit trail, and when each token was last used (by the hash of the token).

CREATE TABLE audit (
    number INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, who TEXT NOT NULL, via TEXT NOT NULL, address TEXT NOT NULL,
    what TEXT NOT NULL, subject TEXT NOT NULL, outcome TEXT NOT NULL, detail TEXT NOT NULL, request TEXT NOT NULL
) STRICT;
CREATE INDEX audit_by_who ON audit (who, number);
CREATE INDEX audit_by_what ON audit (what, number);
CREATE TABLE token_uses (digest TEXT PRIMARY KEY, used_at REAL NOT NULL, address TEXT NOT NULL) STRICT, WITHOUT ROWID;
