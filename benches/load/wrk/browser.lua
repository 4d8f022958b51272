-- What a browser sends with each request, and what is told of a run.

local browser = {}

browser.headers = {
  ["Host"] = "shop.example",
  ["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
  ["Accept"] = "text/html,application/xhtml+xml",
  ["Accept-Encoding"] = "gzip, deflate, br, zstd",
  ["Accept-Language"] = "en-GB,en;q=0.7",
  ["Cookie"] = "session=0123456789abcdef",
  ["X-Forwarded-For"] = "192.0.2.1",
}

-- One line of JSON. Times are microseconds.
function browser.tell(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"micros":%d,"p50":%d,"p99":%d,"statuses":%d,"broken":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end

return browser
