-- What wrk asks, and what it says at the end.
-- Arguments (after --): a file of requests, one a line (path, tab, Authorization), which all take
-- their turns; or image bytes and piece bytes: each request then asks for the next piece of the
-- image by Range. Without arguments all requests are alike.

local requests, at
local threads = 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

function init(args)
  if not args[1] then return end
  requests, at = {}, 0
  if args[2] then pieces(tonumber(args[1]), tonumber(args[2])) else read(args[1]) end
  -- Only then is it defined: a function of ours per request costs the load maker time.
  request = function()
    at = at % #requests + 1
    return requests[at]
  end
end

function pieces(image, piece)
  for first = 0, image - 1, piece do
    wrk.headers["Range"] = string.format("bytes=%d-%d", first, math.min(first + piece, image) - 1)
    requests[#requests + 1] = wrk.format()
  end
end

function read(name)
  for line in io.lines(name) do
    local path, authorization = line:match("^(%S+)\t(.*)$")
    if authorization ~= "" then wrk.headers["Authorization"] = authorization end
    requests[#requests + 1] = wrk.format("GET", path)
  end
  -- The second thread begins in the middle: else both would ask for the same device at a time.
  at = math.floor(#requests * number / 2) % #requests
end

function done(summary, latency, all)
  local e = summary.errors
  io.write(string.format(
    '\nRESULT {"requests": %d, "bytes": %d, "seconds": %.6f, "errors": %d}\n',
    summary.requests, summary.bytes, summary.duration / 1e6,
    e.connect + e.read + e.write + e.status + e.timeout))
end
