-- The same request again and again: it is written once, so that wrk takes as little of the machine as it can.

local browser = require("browser")

wrk.path = "/carts/17?page=2"
wrk.headers = browser.headers
done = browser.tell
