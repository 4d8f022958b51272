-- Each kind of request in turn; `src/kind.rs` has the same ones. Those that are in a trace are each in one of their own.

local browser = require("browser")

local function hex(digits)
  local text = {}
  for place = 1, digits do text[place] = string.format("%x", math.random(0, 15)) end
  return table.concat(text)
end

local function traceparent(flags)
  return function() return "traceparent", "00-" .. hex(31) .. "1-" .. hex(15) .. "1-" .. flags end
end

local function amzn()
  -- A time that X-Ray takes: it begins with when the trace did.
  local root = string.format("1-%08x-%s", os.time(), hex(24))
  return "X-Amzn-Trace-Id", "Root=" .. root .. ";Parent=" .. hex(15) .. "1;Sampled=1"
end

local kinds = {
  { path = "/carts/17" },
  { path = "/carts/404" },
  { path = "/nowhere" },
  { path = "/carts/500?page=2&access_token=canary" },
  { path = "/carts/18?page=2&access_token=canary" },
  { path = "/carts/19", trace = traceparent("01") },
  { path = "/carts/20", trace = traceparent("00") },
  { path = "/carts/21", trace = amzn },
  { path = "/orders/22" },
}

local next = 0

function init()
  math.randomseed(os.time())
end

function request()
  next = next % #kinds + 1
  local kind = kinds[next]
  local headers = browser.headers
  if kind.trace then
    headers = {}
    for name, value in pairs(browser.headers) do headers[name] = value end
    local name, value = kind.trace()
    headers[name] = value
  end
  return wrk.format("GET", kind.path, headers)
end

done = browser.tell
