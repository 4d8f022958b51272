// The page of the example: a feed, a button for every route, and the trace of each request that it makes.

const find = (id) => document.getElementById(id);
const consoleUrl = document.body.dataset.console;
let feed = [];

// ===== making elements =====

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

// ===== a request and its line =====

async function request(method, path, body) {
  const line = begin(method, path);
  const began = performance.now();
  try {
    const response = await fetch(path, {
      method,
      headers: { "x-user": find("user").value, ...(body === undefined ? {} : { "content-type": "application/json" }) },
      body,
    });
    const text = await response.text();
    finish(line, response, text, performance.now() - began);
    return { ok: response.ok, json: parsed(text) };
  } catch {
    fail(line);
    return { ok: false, json: null };
  }
}

function begin(method, path) {
  const parts = {
    status: make("span", { className: "status open" }, "…"),
    took: make("span", { className: "took" }),
    trace: make("span", { className: "trace" }),
    more: make("div", { className: "more" }),
  };
  const route = make("span", { className: "path", title: path }, make("b", {}, method), " ", path);
  const summary = make("summary", {}, parts.status, route, parts.took, parts.trace);
  find("log").prepend(make("li", {}, make("details", {}, summary, parts.more)));
  while (find("log").children.length > 100) find("log").lastChild.remove();
  return parts;
}

function finish(line, response, text, took) {
  const trace = response.headers.get("x-trace-id");
  const sampled = isSampled(response.headers.get("traceresponse"));
  const server = Number(/total;dur=([\d.]+)/.exec(response.headers.get("server-timing"))?.[1]);
  line.status.textContent = response.status;
  line.status.className = `status ${kind(response.status)}`;
  line.took.textContent = millis(took);
  if (trace) line.trace.append(link(trace, sampled));
  line.more.append(facts({ trace, took, server }), make("pre", {}, pretty(text)));
}

function fail(line) {
  line.status.textContent = "–";
  line.status.className = "status bad";
  line.more.append(make("pre", {}, "No answer: is the backend still running?"));
}

function kind(status) {
  if (status >= 500) return "bad";
  return status >= 400 ? "wrong" : "good";
}

// The last of its flags: a trace without it is sent nowhere.
const isSampled = (parent) => (parseInt(parent?.split("-")[3], 16) & 1) === 1;

function link(trace, sampled) {
  if (consoleUrl && sampled) return make("a", { href: `${consoleUrl}r/${trace}`, target: "_blank", rel: "noopener" }, "see its trace");
  const button = make("button", { type: "button", title: trace }, "copy trace id");
  button.onclick = async (event) => {
    event.preventDefault();
    await navigator.clipboard.writeText(trace);
    button.textContent = "copied";
  };
  return button;
}

function facts({ trace, took, server }) {
  const rows = [["trace", trace ? make("code", {}, trace) : "none"], ["until the answer began, in the server", millis(server)], ["until it was over, in this page", millis(took)]];
  const known = rows.filter(([, value]) => value);
  return make("dl", {}, ...known.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

const millis = (ms) => (Number.isFinite(ms) ? `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms` : "");

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function pretty(text) {
  const json = parsed(text);
  const shown = json === null ? text : JSON.stringify(json, null, 2);
  return shown.length > 4000 ? `${shown.slice(0, 4000)}\n…` : shown;
}

// ===== the feed =====

async function load() {
  const { ok, json } = await request("GET", "/api/activities/home");
  if (ok) show(json);
}

function show(activities) {
  feed = activities;
  find("feed").replaceChildren(...activities.map(crud));
}

function crud(activity) {
  const facts = [
    `expires ${relative(activity.expires_at)}`,
    count(activity.likes_count, "like"),
    count(activity.reposts_count, "repost"),
  ].filter(Boolean);
  return make(
    "article", {}, by(activity), make("p", {}, activity.message),
    make("div", { className: "facts" }, ...facts.map((fact) => make("span", {}, fact))),
    ...activity.replies.map((reply) => make("article", {}, by(reply), make("p", {}, reply.message))),
    answer(activity.uuid),
  );
}

function by({ display_name, handle, created_at }) {
  return make(
    "div", { className: "by" }, make("b", {}, display_name), make("span", {}, `@${handle}`),
    make("span", {}, relative(created_at)),
  );
}

function answer(uuid) {
  const text = make("textarea", { rows: 1, placeholder: "Your reply", ariaLabel: "Your reply" });
  const form = make("form", {}, text, make("button", {}, "Send"));
  form.onsubmit = async (event) => {
    event.preventDefault();
    const { ok } = await post(`/api/activities/${uuid}/reply`, { message: text.value });
    if (ok) await load();
  };
  return make("details", {}, make("summary", {}, "Reply"), form);
}

const post = (path, body) => request("POST", path, JSON.stringify(body));
const count = (n, word) => (n > 0 ? `${n} ${word}${n === 1 ? "" : "s"}` : "");

function relative(time) {
  const seconds = (Date.parse(time) - Date.now()) / 1000;
  const words = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  for (const [unit, length] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
    if (Math.abs(seconds) >= length) return words.format(Math.round(seconds / length), unit);
  }
  return seconds < 0 ? "just now" : "in a moment";
}

// ===== what is pressed =====

find("write").onsubmit = async (event) => {
  event.preventDefault();
  const form = event.target;
  const { ok } = await post("/api/activities", { message: form.message.value, ttl: form.ttl.value });
  if (!ok) return;
  form.message.value = "";
  form.message.oninput();
  await load();
};

find("message").oninput = () => {
  const left = 280 - [...find("message").value].length;
  find("left").textContent = left;
  find("left").className = left < 0 ? "over" : "";
};

find("buttons").onclick = (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.id === "mixed") mixed(button);
  else press(button);
};

async function press({ dataset: { get, post: path, body } }) {
  const method = path ? "POST" : "GET";
  const { ok, json } = await request(method, filled(path ?? get), body && filled(body));
  if (ok && get === "/api/activities/home") show(json);
}

// `{user}`, `{other}` and `{first}` in a path or a body.
function filled(text) {
  const user = find("user").value;
  const values = { user, other: user === "worf" ? "garek" : "worf", first: feed[0]?.uuid ?? "none" };
  return text.replace(/\{(user|other|first)\}/g, (_, name) => values[name]);
}

async function mixed(button) {
  button.disabled = true;
  const choices = [...find("buttons").querySelectorAll("button[data-get], button[data-post]")];
  const walk = async () => {
    for (let n = 0; n < 10; n += 1) await press(choices[Math.floor(Math.random() * choices.length)]);
  };
  await Promise.all([walk(), walk(), walk(), walk(), walk()]);
  button.disabled = false;
}

find("user").onchange = load;
find("console").hidden = !consoleUrl;
load();
