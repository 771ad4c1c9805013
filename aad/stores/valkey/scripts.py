"""The Lua scripts that the Valkey store has the server run, each in one atomic step, named after the store's methods.

KEYS are as `commands.py` lists them; ARGV[1] is the server's time, in microseconds, after which the step must not be
done any more: its caller has given up by then, and reported it as not done. Times are seconds of the common clock, as
Python wrote them. The comment above each script lists its keys, then its arguments.
"""

from __future__ import annotations

from aad.stores.valkey.reply import Shape, listed, maybe, number, octets, several

_PROLOGUE = """
local t = redis.call('TIME')
if t[1] * 1000000 + t[2] > tonumber(ARGV[1]) then
  return redis.error_reply('LATE the question was old already, or the clock was set')
end
local function lasts(key, seconds)
  local ms = math.ceil(seconds * 1000)
  if redis.call('PTTL', key) < ms then redis.call('PEXPIRE', key, ms) end
end
local function counted(held)
  local count, ends = string.match(held or '', '^(%d+) (.+)$')
  if count and tonumber(ends) > tonumber(ARGV[2]) then return tonumber(count), ends end
  return 0, nil
end
"""
# clock | floor (microseconds). Returns the server's time and the shift.
CLOCK = """
local t = redis.call('TIME')
local server = t[1] * 1000000 + t[2]
local shift = tonumber(redis.call('GET', KEYS[1]) or '0')
local behind = tonumber(ARGV[1]) - (server + shift)
if behind > 1000000 then
  shift = shift + behind
  redis.call('SET', KEYS[1], string.format('%.0f', shift))
end
return {server, shift}
"""
_DELETE_LOGIN = """
local function forget(ticket, key, holder)
  redis.call('DEL', key)
  redis.call('ZREM', waiting, ticket)
  redis.call('LREM', holder, 0, ticket)
end
"""
# login, holder, waiting | late, now, ticket, holder, login, expires, grace, proven, row, most, a login's prefix
# Returns how many wait, or -1: there are too many of this holder, and all with a proof.
PUT_LOGIN = (
    _PROLOGUE
    + "local waiting = KEYS[3]"
    + _DELETE_LOGIN
    + """
local now, expires, most = tonumber(ARGV[2]), tonumber(ARGV[6]), tonumber(ARGV[10])
local left = expires + tonumber(ARGV[7]) - now
local others, going = {}, {}
for _, ticket in ipairs(redis.call('LRANGE', KEYS[2], 0, -1)) do
  local found = redis.call('HMGET', ARGV[11] .. ticket, 'expires', 'proven')
  if ticket ~= ARGV[3] and found[1] and tonumber(found[1]) > now then others[#others + 1] = {ticket, found[2]} end
end
for _, proven in ipairs({'0', '1'}) do
  for at = #others, 1, -1 do
    if others[at][2] == proven and proven <= ARGV[8] and #others - #going >= most then
      going[#going + 1] = others[at][1]
    end
  end
end
if #others - #going >= most then return -1 end
if left > 0 then
  -- First what a full server refuses: after another change it would not.
  redis.call('HSET', KEYS[1], 'holder', ARGV[4], 'login', ARGV[5], 'expires', ARGV[6])
  redis.call('HSET', KEYS[1], 'proven', ARGV[8], 'row', ARGV[9])
  lasts(KEYS[1], left)
  redis.call('LREM', KEYS[2], 0, ARGV[3])
  redis.call('LPUSH', KEYS[2], ARGV[3])
  lasts(KEYS[2], left)
  redis.call('ZADD', KEYS[3], expires, ARGV[3])
  lasts(KEYS[3], left)
end
for _, ticket in ipairs(going) do forget(ticket, ARGV[11] .. ticket, KEYS[2]) end
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now)
return redis.call('ZCARD', KEYS[3])
"""
)
# login, waiting | late, now, ticket, beginning of the holder's key, grace, beginning of a row's key
_FIND_LOGIN = """
local found = redis.call('HMGET', KEYS[1], 'login', 'expires', 'holder', 'row')
if not found[1] or tonumber(found[2]) + tonumber(ARGV[5]) <= tonumber(ARGV[2]) then return false end
local row = found[4] or ''
local value = row ~= '' and redis.call('GET', ARGV[6] .. row)
"""
# Returns the login, its row, and the row's value.
PEEK_LOGIN = (
    _PROLOGUE
    + _FIND_LOGIN
    + """
return {found[1], row, value}
"""
)
# ... what the row must be (0: whatever; 1: nothing; 2: the next), what it is to be (0: nothing; 1: the next), and for
# how many milliseconds (-1: for good). Returns the login and how many wait (-1: the row is another), or false.
TAKE_LOGIN = (
    _PROLOGUE
    + _FIND_LOGIN
    + "local waiting = KEYS[2]"
    + _DELETE_LOGIN
    + """
if ARGV[7] ~= '0' and row ~= '' then
  if (ARGV[7] == '1' and value) or (ARGV[7] == '2' and value ~= ARGV[8]) then return {found[1], -1} end
  if ARGV[9] == '0' or ARGV[11] == '0' then
    redis.call('DEL', ARGV[6] .. row)
  elseif ARGV[11] == '-1' then
    redis.call('SET', ARGV[6] .. row, ARGV[10])
  else
    redis.call('SET', ARGV[6] .. row, ARGV[10], 'PX', ARGV[11])
  end
end
forget(ARGV[3], KEYS[1], ARGV[4] .. found[3])
return {found[1], redis.call('ZCARD', KEYS[2])}
"""
)
# holder | late, now, beginning of a login's key
LOGINS_OF = (
    _PROLOGUE
    + """
local waits = {}
for _, ticket in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
  local found = redis.call('HMGET', ARGV[3] .. ticket, 'login', 'expires')
  if found[1] and tonumber(found[2]) > tonumber(ARGV[2]) then waits[#waits + 1] = {ticket, found[1]} end
end
return waits
"""
)
# waiting | late, now
COUNT_LOGINS = (
    _PROLOGUE
    + """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[2])
return redis.call('ZCARD', KEYS[1])
"""
)
# counter | late, now, scope, limit, until, extend, by how many, most keys. -1: there are too many counters.
INCREMENT = (
    _PROLOGUE
    + """
local held = redis.call('HGET', KEYS[1], ARGV[3])
local count, ends = counted(held)
if count >= tonumber(ARGV[4]) then return 0 end
if not held and redis.call('DBSIZE') >= tonumber(ARGV[8]) and redis.call('EXISTS', KEYS[1]) == 0 then return -1 end
if not ends or ARGV[6] == '1' then ends = ARGV[5] end
count = count + tonumber(ARGV[7])
local left = tonumber(ends) - tonumber(ARGV[2])
if left > 0 then
  redis.call('HSET', KEYS[1], ARGV[3], count .. ' ' .. ends)
  lasts(KEYS[1], left)
end
return count
"""
)
# counter | late, now, scope
DECREMENT = (
    _PROLOGUE
    + """
local count, ends = counted(redis.call('HGET', KEYS[1], ARGV[3]))
if count > 1 then
  redis.call('HSET', KEYS[1], ARGV[3], (count - 1) .. ' ' .. ends)
else
  redis.call('HDEL', KEYS[1], ARGV[3])
end
return 1
"""
)
# counter | late, now, scope ('': all)
DELETE_COUNTER = (
    _PROLOGUE
    + """
local any = 0
for _, held in ipairs(ARGV[3] == '' and redis.call('HVALS', KEYS[1]) or redis.call('HMGET', KEYS[1], ARGV[3])) do
  if held and counted(held) > 0 then any = 1 end
end
if ARGV[3] == '' then redis.call('DEL', KEYS[1]) else redis.call('HDEL', KEYS[1], ARGV[3]) end
return any
"""
)
# held | late, name, whether there is an old one, old, whether there is a new one, new
COMPARE_AND_SET = (
    _PROLOGUE
    + """
local held = redis.call('HGET', KEYS[1], ARGV[2])
if ARGV[3] == '1' then
  if held ~= ARGV[4] then return 0 end
elseif held then
  return 0
end
if ARGV[5] == '1' then redis.call('HSET', KEYS[1], ARGV[2], ARGV[6]) else redis.call('HDEL', KEYS[1], ARGV[2]) end
return 1
"""
)
# passing | late, whether there is an old one, old, whether there is a new one, new, milliseconds (-1: for good)
# Returns whether it was done, and what is held where it wasn't.
COMPARE_AND_SET_EXPIRING = (
    _PROLOGUE
    + """
local held = redis.call('GET', KEYS[1])
if ARGV[2] == '1' then
  if held ~= ARGV[3] then return {0, held} end
elseif held then
  return {0, held}
end
if ARGV[4] == '1' and ARGV[6] == '-1' then
  redis.call('SET', KEYS[1], ARGV[5])
elseif ARGV[4] == '1' and tonumber(ARGV[6]) > 0 then
  redis.call('SET', KEYS[1], ARGV[5], 'PX', ARGV[6])
else
  redis.call('DEL', KEYS[1])
end
return {1, false}
"""
)
# passing ... | late, and for each: the new value, milliseconds (-1: for good, 0: nothing any more)
PUT_EXPIRING = (
    _PROLOGUE
    + """
for at, key in ipairs(KEYS) do
  local value, ms = ARGV[2 * at], ARGV[2 * at + 1]
  if ms == '0' then
    redis.call('DEL', key)
  elseif ms == '-1' then
    redis.call('SET', key, value)
  else
    redis.call('SET', key, value, 'PX', ms)
  end
end
return 1
"""
)
ALL: dict[str, Shape] = {
    CLOCK: several(number, number),
    PUT_LOGIN: number,
    PEEK_LOGIN: maybe(several(octets, octets, maybe(octets))),
    TAKE_LOGIN: maybe(several(octets, number)),
    LOGINS_OF: listed(several(octets, octets)),
    COUNT_LOGINS: number,
    INCREMENT: number,
    DECREMENT: number,
    DELETE_COUNTER: number,
    COMPARE_AND_SET: number,
    COMPARE_AND_SET_EXPIRING: several(number, maybe(octets)),
    PUT_EXPIRING: number,
}
"""Each script, and the shape of its answer."""
