"""The SQL statements of the SQLite store."""

from __future__ import annotations

INCREMENT = """
INSERT INTO counter (kind, name, scope, count, until)
VALUES (:kind, :name, :scope, 1, :until)
ON CONFLICT (kind, name, scope) DO UPDATE SET
    count = CASE WHEN until > :now THEN count + 1 ELSE 1 END,
    until = CASE WHEN until > :now AND NOT :extend THEN until ELSE excluded.until END
WHERE until <= :now OR count < :limit
RETURNING count
"""
PUT_LOGIN = "INSERT OR REPLACE INTO waiting VALUES (?, ?, ?, ?, ?, ?)"
# The surplus logins of one holder: the oldest, and those without proof first.
DELETE_SURPLUS_LOGINS = """
DELETE FROM waiting WHERE rowid IN (
    SELECT rowid FROM waiting WHERE holder = ? AND expires > ? ORDER BY proven DESC, rowid DESC LIMIT -1 OFFSET ?
) RETURNING ticket
"""
TAKE_LOGIN = "DELETE FROM waiting WHERE ticket = ? AND expires > ? RETURNING login"
# ?1 ticket, ?2 the earliest end, ?3 now
GET_LOGIN_WITH_ROW = """
SELECT login, row, value FROM waiting LEFT JOIN passing ON kind = 'row' AND name = row AND until > ?3
WHERE ticket = ?1 AND expires > ?2
"""
LOGINS_OF = "SELECT ticket, login FROM waiting WHERE holder = ? AND expires > ? ORDER BY rowid DESC"
IS_COUNTER = "SELECT 1 FROM counter WHERE kind = ? AND name = ? AND scope = ?"
DELETE_LAST_COUNT = (
    "DELETE FROM counter WHERE kind = ? AND name = ? AND scope = ? AND count <= 1 AND until > ? RETURNING 1"
)
DECREMENT = "UPDATE counter SET count = count - 1 WHERE kind = ? AND name = ? AND scope = ? AND count > 1 AND until > ?"
ANY_COUNTER = "SELECT 1 FROM counter WHERE kind = ? AND name = ? AND (scope = ? OR ? = '') LIMIT 1"
DELETE_COUNTER = "DELETE FROM counter WHERE kind = ? AND name = ? AND (scope = ? OR ? = '') RETURNING until, count"
COUNTERS = """
SELECT scope, name, count, until FROM counter
WHERE kind = ? AND until > ? AND count > 0 ORDER BY name, scope
"""
SWEEP_WAITING = """
DELETE FROM waiting WHERE rowid IN (SELECT rowid FROM waiting WHERE expires <= ? LIMIT ?)
"""
SWEEP_COUNTERS = """
DELETE FROM counter WHERE (kind, name, scope) IN (SELECT kind, name, scope FROM counter WHERE until <= ? LIMIT ?)
"""
SWEEP_EXPIRING = """
DELETE FROM passing WHERE (kind, name) IN (SELECT kind, name FROM passing WHERE until <= ? LIMIT ?)
"""
COUNTS = "SELECT (SELECT count(*) FROM waiting WHERE expires > ?), (SELECT count(*) FROM counter)"
INSERT_VALUE = "INSERT INTO held (value, kind, name) VALUES (?, ?, ?) ON CONFLICT DO NOTHING RETURNING 1"
REPLACE_VALUE = "UPDATE held SET value = ? WHERE kind = ? AND name = ? AND value = ? RETURNING 1"
DELETE_VALUE = "DELETE FROM held WHERE kind = ? AND name = ? AND value = ? RETURNING 1"
GET_VALUE = "SELECT value FROM held WHERE kind = ? AND name = ?"
NAMES = "SELECT name FROM held WHERE kind = ? ORDER BY name"
GET_EXPIRING = "SELECT value FROM passing WHERE kind = ? AND name = ? AND until > ?"
ALL_EXPIRING = "SELECT name, value FROM passing WHERE kind = ? AND until > ?"
PUT_EXPIRING = "INSERT OR REPLACE INTO passing VALUES (?, ?, ?, ?)"
DELETE_EXPIRING = "DELETE FROM passing WHERE kind = ? AND name = ?"
# ?1 kind, ?2 name, ?3 the old value, ?4 the new one, ?5 until, ?6 now
INSERT_EXPIRING = """
INSERT INTO passing (kind, name, value, until) VALUES (?1, ?2, ?4, ?5)
ON CONFLICT (kind, name) DO UPDATE SET value = excluded.value, until = excluded.until
WHERE until <= ?6
RETURNING 1
"""
REPLACE_EXPIRING = """
UPDATE passing SET value = ?4, until = ?5
WHERE kind = ?1 AND name = ?2 AND value = ?3 AND until > ?6
RETURNING 1
"""
COMPARE_AND_DELETE_EXPIRING = (
    "DELETE FROM passing WHERE kind = ?1 AND name = ?2 AND value = ?3 AND until > ?6 RETURNING 1"
)
