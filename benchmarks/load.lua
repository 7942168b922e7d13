-- What wrk asks, and what it says at the end.
-- Arguments (after --): image bytes, piece bytes. With them each request asks for the next piece
-- of the image by Range; without them all requests are alike.

local requests, at

function init(args)
  if not args[2] then return end
  local image, piece = tonumber(args[1]), tonumber(args[2])
  requests, at = {}, 0
  for first = 0, image - 1, piece do
    wrk.headers["Range"] = string.format("bytes=%d-%d", first, math.min(first + piece, image) - 1)
    requests[#requests + 1] = wrk.format()
  end
  -- Only then is it defined: a function of ours per request costs the load maker time.
  request = function()
    at = at % #requests + 1
    return requests[at]
  end
end

function done(summary, latency, all)
  local e = summary.errors
  io.write(string.format(
    '\nRESULT {"requests": %d, "bytes": %d, "seconds": %.6f, "errors": %d}\n',
    summary.requests, summary.bytes, summary.duration / 1e6,
    e.connect + e.read + e.write + e.status + e.timeout))
end
