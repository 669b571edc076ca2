-- Decides one request: every bucket that is not a shadow gives its cost, or none
-- does; each shadow bucket then gives its own if it can.
--
-- KEYS  the buckets, no two alike
-- ARGV  1: 'take', or 'peek' to change nothing
--       then six for each key: tick, refill, token, burst, cost, shadow (1 or 0)
-- Reply now, then three for each key: flags (1 no room, 2 unreadable), debt, last
--
-- Times are microseconds of this server's clock. All numbers are whole and stay
-- below 2^53, where doubles are exact; math.floor(a/b) of such numbers is too.
-- A stored value is: format, grain (0: tick 1, 1: tick 1000), refill, burst,
-- token, debt, last. The limit is in the value so that a changed one is noticed
-- and the tokens are carried over.

local FORMAT = 1
local LAYOUT = '>BBI4I4I8I8I8'
local SIZE = 34
local MAX_DEBT = 4500000000000000
local MAX_COUNT = 1000000000
local MAX_TIME = 9007199254740991
local STEP_BACK = 1000000

local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
local change = ARGV[1] == 'take'

local function ceildiv(a, b)
  return math.floor((a + b - 1) / b)
end

-- floor(a*b/c) for 0 <= a < c, by long multiplication in base 2: the product
-- itself would pass 2^53, the remainder never passes 2c.
local function muldiv(a, b, c)
  local digits, n = {}, 0
  while b > 0 do
    n = n + 1
    digits[n] = b % 2
    b = (b - digits[n]) / 2
  end
  local whole, rest = 0, 0
  for i = n, 1, -1 do
    whole, rest = whole * 2, rest * 2
    if rest >= c then whole, rest = whole + 1, rest - c end
    if digits[i] == 1 then
      rest = rest + a
      if rest >= c then whole, rest = whole + 1, rest - c end
    end
  end
  return whole
end

local function settle(b)
  local at = now - now % b.tick
  local elapsed = at - b.last
  if elapsed > 0 then
    local ticks = elapsed / b.tick
    if ticks >= ceildiv(b.debt, b.refill) then
      b.debt = 0
    else
      b.debt = b.debt - b.refill * ticks
    end
    b.last = at
  elseif elapsed <= -STEP_BACK then
    -- The clock was set back. Waiting for the old time could take for ever.
    b.last = at
  end
end

-- Reads a stored value; nil when it is none that this script wrote.
local function decode(raw)
  if type(raw) ~= 'string' or #raw ~= SIZE then return nil end
  local format, grain, refill, burst, token, debt, last = struct.unpack(LAYOUT, raw)
  if format ~= FORMAT or grain > 1 then return nil end
  local tick = grain == 1 and 1000 or 1
  if refill < 1 or refill > MAX_COUNT or burst < 1 or burst > MAX_COUNT then return nil end
  if token < 1 or token > MAX_DEBT or burst * token > MAX_DEBT then return nil end
  if debt > burst * token or last > MAX_TIME or last % tick ~= 0 then return nil end
  return {tick = tick, refill = refill, token = token, burst = burst, debt = debt, last = last}
end

-- Carries the tokens at hand over to another limit, rounding down.
local function convert(old, to)
  settle(old)
  local free = old.burst * old.token - old.debt
  local rest = free % old.token
  local whole = (free - rest) / old.token
  local last = math.max(old.last, now)
  if last % to.tick ~= 0 then last = last - last % to.tick + to.tick end
  to.last = last
  if whole >= to.burst then
    to.debt = 0
  else
    to.debt = to.burst * to.token - whole * to.token - muldiv(rest, to.token, old.token)
  end
  to.dirty = true
end

local function load(key, at)
  local b = {
    tick = tonumber(ARGV[at]), refill = tonumber(ARGV[at + 1]),
    token = tonumber(ARGV[at + 2]), burst = tonumber(ARGV[at + 3]),
    cost = tonumber(ARGV[at + 4]), shadow = ARGV[at + 5] == '1', flags = 0,
  }
  b.last = now - now % b.tick
  b.debt = 0
  local raw = redis.pcall('GET', key)
  if not raw or raw == '' then return b end
  local old = decode(raw)
  if not old then
    b.debt, b.dirty, b.flags = b.burst * b.token, true, 2
  elseif old.tick == b.tick and old.refill == b.refill and old.token == b.token and old.burst == b.burst then
    b.debt, b.last = old.debt, old.last
    settle(b)
  else
    convert(old, b)
  end
  return b
end

local function store(key, b)
  local ticks = ceildiv(b.debt, b.refill) + 1
  local ms = ticks
  if b.tick == 1 then ms = ceildiv(ticks, 1000) end
  if b.last > now then ms = ms + ceildiv(b.last - now, 1000) end
  local grain = b.tick == 1000 and 1 or 0
  local raw = struct.pack(LAYOUT, FORMAT, grain, b.refill, b.burst, b.token, b.debt, b.last)
  redis.call('SET', key, raw, 'PX', string.format('%.0f', ms))
end

local function give(b)
  if b.room then
    b.debt = b.debt + b.cost * b.token
    b.dirty = true
  end
end

local buckets, admitted = {}, true
for i = 1, #KEYS do
  local b = load(KEYS[i], 6 * i - 4)
  b.room = b.debt + b.cost * b.token <= b.burst * b.token
  if not b.room then
    b.flags = b.flags + 1
    if not b.shadow then admitted = false end
  end
  buckets[i] = b
end

local reply = {now}
for i = 1, #KEYS do
  local b = buckets[i]
  if change then
    if admitted then give(b) end
    if b.dirty then store(KEYS[i], b) end
  end
  reply[3 * i - 1], reply[3 * i], reply[3 * i + 1] = b.flags, b.debt, b.last
end
return reply
