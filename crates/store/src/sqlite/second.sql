-- From version 1 to 2: priorities, deadlines, lines, sealed content, the audit log, settings and leases.

ALTER TABLE letters ADD COLUMN priority INTEGER NOT NULL DEFAULT 1 CHECK (priority IN (0, 1, 2));
ALTER TABLE letters ADD COLUMN sla_deadline INTEGER;
-- Whether it waits behind another letter with its order key. Not an index away but kept, so that a claim never meets those.
ALTER TABLE letters ADD COLUMN waits INTEGER NOT NULL DEFAULT 0;
ALTER TABLE contents ADD COLUMN sealed_by TEXT;
ALTER TABLE contents ADD COLUMN fingerprint BLOB;
ALTER TABLE answers ADD COLUMN sealed_by TEXT;

CREATE INDEX letters_in_line ON letters (circuit, order_key, id)
    WHERE order_key IS NOT NULL AND status IN ('pending', 'replaying', 'requires_review');
UPDATE letters SET waits = 1
WHERE order_key IS NOT NULL AND status IN ('pending', 'replaying', 'requires_review') AND EXISTS (
    SELECT 1 FROM letters l
    WHERE l.circuit = letters.circuit AND l.order_key = letters.order_key
        AND l.status IN ('pending', 'replaying', 'requires_review') AND l.id < letters.id);

DROP INDEX letters_due;
CREATE INDEX letters_due ON letters (circuit, status, not_before, id)
    WHERE waits = 0 AND (status = 'pending' OR status = 'replaying');
CREATE INDEX letters_by_kind ON letters (circuit, domain, failure, priority, not_before, id)
    WHERE waits = 0 AND status = 'pending';
CREATE INDEX letters_late ON letters (circuit, domain, priority, sla_deadline, id)
    WHERE sla_deadline IS NOT NULL AND status IN ('pending', 'replaying', 'requires_review');

CREATE TABLE audit (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    actor   TEXT    NOT NULL,
    action  TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    reason  TEXT    NOT NULL,
    before  TEXT,
    after   TEXT
) STRICT;
CREATE INDEX audit_by_time ON audit (at, id);
CREATE INDEX audit_by_actor ON audit (actor, at, id);
CREATE INDEX audit_by_action ON audit (action, at, id);
CREATE INDEX audit_by_subject ON audit (subject, at, id);

CREATE TABLE settings (
    name     TEXT    PRIMARY KEY,
    value    TEXT    NOT NULL,
    revision INTEGER NOT NULL,
    actor    TEXT    NOT NULL,
    reason   TEXT    NOT NULL,
    at       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A lease that was given back has no end. Its row stays, because its fence must grow.
CREATE TABLE leases (
    name   TEXT    PRIMARY KEY,
    holder TEXT    NOT NULL,
    fence  INTEGER NOT NULL,
    until  INTEGER
) STRICT, WITHOUT ROWID;
