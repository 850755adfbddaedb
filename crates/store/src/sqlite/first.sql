-- Version 1: letters, their content and answers, their history, and how many there are.

-- Content lies apart from the letter, because SQLite writes a whole row anew when one column of it changes. The
-- conditions of the partial indexes are spelled as the queries spell them, or SQLite would not use them.

CREATE TABLE letters (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    token        BLOB    NOT NULL,
    circuit      TEXT    NOT NULL,
    domain       TEXT    NOT NULL,
    failure      TEXT    NOT NULL,
    method       TEXT    NOT NULL,
    uri          TEXT    NOT NULL,
    content_type TEXT,
    key          TEXT    NOT NULL,
    scope        BLOB    NOT NULL,
    order_key    TEXT,
    status       TEXT    NOT NULL CHECK (status IN
        ('pending', 'replaying', 'requires_review', 'resolved', 'discarded', 'expired')),
    attempts     INTEGER NOT NULL,
    crashes      INTEGER NOT NULL,
    not_before   INTEGER NOT NULL,
    expires_at   INTEGER,
    fence        INTEGER NOT NULL,
    lease_until  INTEGER,
    captured_at  INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    last_error   TEXT
) STRICT;
CREATE UNIQUE INDEX letters_by_token ON letters (token);
CREATE UNIQUE INDEX letters_by_key ON letters (circuit, method, uri, key, scope)
    WHERE status NOT IN ('discarded', 'expired');
CREATE INDEX letters_due ON letters (circuit, status, not_before, id)
    WHERE status = 'pending' OR status = 'replaying';
CREATE INDEX letters_by_status ON letters (circuit, status, id);
CREATE INDEX letters_finished ON letters (updated_at, id)
    WHERE status IN ('resolved', 'discarded', 'expired');

CREATE TABLE contents (
    id      INTEGER PRIMARY KEY REFERENCES letters (id) ON DELETE CASCADE,
    headers BLOB NOT NULL,
    body    BLOB NOT NULL
) STRICT;

CREATE TABLE answers (
    id        INTEGER PRIMARY KEY REFERENCES letters (id) ON DELETE CASCADE,
    status    INTEGER NOT NULL,
    headers   BLOB    NOT NULL,
    body      BLOB    NOT NULL,
    at        INTEGER NOT NULL,
    truncated INTEGER NOT NULL
) STRICT;

CREATE TABLE history (
    letter INTEGER NOT NULL REFERENCES letters (id) ON DELETE CASCADE,
    seq    INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    what   TEXT    NOT NULL,
    fence  INTEGER NOT NULL,
    PRIMARY KEY (letter, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE tallies (
    circuit TEXT    NOT NULL,
    what    TEXT    NOT NULL,
    n       INTEGER NOT NULL,
    PRIMARY KEY (circuit, what)
) STRICT, WITHOUT ROWID;
