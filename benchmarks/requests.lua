-- Sends requests that were made beforehand, from the file named by its argument; each thread has a file of its own.
-- A request stands after its length in 8 digits and a line's end. With a second argument the file is begun again at its end;
-- without, running out of requests is an error, since none may be sent twice.
local threads = {}

function setup(thread)
   thread:set("number", #threads)
   table.insert(threads, thread)
end

function init(args)
   again = args[2] ~= nil
   ran_out = 0
   file = assert(io.open(args[1] .. "." .. number, "rb"))
   file:setvbuf("full", 1048576)
end

function request()
   local size = file:read(9)
   if not size then
      if not again then
         ran_out = 1
         wrk.thread:stop()
         return last
      end
      file:seek("set", 0)
      size = file:read(9)
   end
   last = file:read(tonumber(size))
   return last
end

function done(summary, latency, requests)
   local ran_out = 0
   for _, thread in ipairs(threads) do
      ran_out = ran_out + thread:get("ran_out")
   end
   local errors = summary.errors
   io.write(string.format(
      'RESULT {"requests":%d,"microseconds":%d,"failed":%d,"ran_out":%d,"p50":%d,"p99":%d,"max":%d}\n',
      summary.requests, summary.duration,
      errors.connect + errors.read + errors.write + errors.status + errors.timeout, ran_out,
      latency:percentile(50), latency:percentile(99), latency.max))
end
