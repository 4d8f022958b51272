"use strict";
// Pages are complete without this; it makes them live.
(() => {
  const root = document.documentElement;
  const $ = (id) => document.getElementById(id);
  const recall = () => { try { return localStorage.getItem("belvedere.theme"); } catch { return null; } };
  const retain = (theme) => { try { localStorage.setItem("belvedere.theme", theme); } catch { /* not allowed */ } };

  // Before the first paint, so that nothing flashes.
  root.classList.add("js");
  if (recall()) root.dataset.theme = recall();

  const toggleTheme = () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    retain(root.dataset.theme);
  };

  // ===== times =====

  const localTime = (within) => {
    const two = (number) => String(number).padStart(2, "0");
    for (const element of within.querySelectorAll("time")) {
      const at = new Date(element.dateTime);
      if (isNaN(at)) continue;
      element.textContent = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${String(at.getMilliseconds()).padStart(3, "0")}`;
      element.title = at.toString();
    }
  };

  // ===== what the server tells =====

  /** Listens while the page is visible: a hidden one would only use up the browser's six connections. */
  const listen = (address, hear, state = () => {}) => {
    const url = new URL(address, location.href);
    let source = null;
    const keep = (event) => { if (event.lastEventId) url.searchParams.set("after", event.lastEventId); };
    const open = () => {
      if (source) return;
      source = new EventSource(url);
      source.onopen = () => state("live");
      source.onerror = () => {
        state("lost");
        // The browser gives up after an answer such as 503; we ask again, later.
        if (source && source.readyState === EventSource.CLOSED) { close(); setTimeout(open, 5000); }
      };
      source.addEventListener("reset", () => location.reload());
      for (const name of ["rows", "trace"]) {
        source.addEventListener(name, (event) => { keep(event); hear(JSON.parse(event.data)); });
      }
    };
    const close = () => { if (source) source.close(); source = null; };
    document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
    addEventListener("pagehide", close);
    addEventListener("pageshow", () => { if (!document.hidden) open(); });
    open();
  };

  // ===== the list =====

  const list = (main) => {
    const rows = $("rows"), pause = $("pause"), pill = $("fresh");
    const waiting = new Map();
    let latest = null, paused = false;
    const follows = () => !paused && scrollY < 80;

    const parse = (html) => {
      const template = document.createElement("template");
      template.innerHTML = html;
      localTime(template.content);
      return template.content.firstElementChild;
    };
    const place = ({ id, html }) => {
      const row = parse(html), known = $(`t-${id}`);
      if (known) {
        row.classList.toggle("at", known.classList.contains("at"));
        known.replaceWith(row);
      } else {
        row.classList.add("fresh-row");
        rows.prepend(row);
      }
      while (rows.children.length > 500) rows.lastElementChild.remove();
    };
    const flush = () => {
      waiting.forEach(place);
      waiting.clear();
      pill.hidden = true;
      if (latest) {
        $("view").innerHTML = latest.view;
        $("summary").innerHTML = latest.summary;
      }
      latest = null;
    };
    const hear = (news) => {
      latest = news;
      for (const row of news.rows) waiting.set(row.id, row);
      const empty = $("empty"), none = $("none");
      if (empty) { empty.remove(); main.querySelector(".filled").hidden = false; }
      if (none) none.remove();
      // A row that is there already changes in place, whoever is reading.
      for (const [id, row] of waiting) if ($(`t-${id}`)) { place(row); waiting.delete(id); }
      if (follows()) return flush();
      while (waiting.size > 500) waiting.delete(waiting.keys().next().value);
      pill.hidden = waiting.size === 0;
      pill.textContent = `${waiting.size} new`;
    };
    const state = (name) => {
      pause.dataset.state = name;
      pause.querySelector(".word").textContent = paused ? "paused" : name === "lost" ? "not connected" : "live";
    };
    const togglePause = () => {
      paused = !paused;
      pause.setAttribute("aria-pressed", paused);
      state(pause.dataset.state);
      if (!paused) flush();
    };

    pause.hidden = !main.dataset.events;
    pause.addEventListener("click", togglePause);
    pill.addEventListener("click", () => { scrollTo(0, 0); flush(); });
    addEventListener("scroll", () => { if (follows() && waiting.size) flush(); }, { passive: true });
    if (main.dataset.events) listen(main.dataset.events, hear, state);

    const current = () => rows.querySelector(".at");
    const move = (step) => {
      const all = [...rows.children], at = all.indexOf(current());
      const next = all[at < 0 ? 0 : Math.max(0, Math.min(all.length - 1, at + step))];
      if (!next) return;
      if (current()) current().classList.remove("at");
      next.classList.add("at");
      next.querySelector("a").focus({ preventScroll: true });
      next.scrollIntoView({ block: "nearest" });
    };
    return {
      j: () => move(1),
      k: () => move(-1),
      f: () => $(location.search.includes("errors=1") ? "all" : "errors").click(),
      p: togglePause,
      Enter: () => current() && current().querySelector("a").click(),
    };
  };

  // ===== one request =====

  const trace = (main) => {
    const wide = matchMedia("(min-width: 901px)");
    const lines = () => [...document.querySelectorAll(".lines > li")];
    const current = () => document.querySelector(".lines > .at");
    const failed = (line) => line.classList.contains("failed");

    const select = (line, focus) => {
      if (!line) return;
      if (current()) current().classList.remove("at");
      line.classList.add("at");
      if (focus) line.querySelector("summary").focus({ preventScroll: true });
      line.scrollIntoView({ block: "nearest" });
      const panel = $("panel");
      panel.hidden = !wide.matches;
      panel.parentElement.classList.toggle("two", wide.matches);
      panel.replaceChildren(line.querySelector(".facts").cloneNode(true));
      panel.scrollTop = 0;
      if (line.id) history.replaceState(null, "", `#${line.id}`);
    };
    const begin = () => {
      const known = document.getElementById(location.hash.slice(1));
      if (known && known.matches(".lines > li")) select(known);
      else if (wide.matches) {
        const line = lines().find((line) => line.querySelector("circle.bad")) || lines().find(failed) || lines()[0];
        const address = location.href;
        select(line);
        history.replaceState(null, "", address);
      }
    };
    main.addEventListener("click", (event) => {
      const summary = event.target.closest(".lines > li > details > summary");
      if (!summary || !wide.matches) return;
      event.preventDefault();
      select(summary.closest("li"), true);
    });
    wide.addEventListener("change", () => {
      if (wide.matches) return begin();
      // There is no room beside: what was in the panel opens in its place.
      $("panel").hidden = true;
      $("panel").parentElement.classList.remove("two");
      if (current()) current().firstElementChild.open = true;
    });
    const step = (wanted, by) => {
      const all = lines(), at = all.indexOf(current());
      for (let next = at + by; next >= 0 && next < all.length; next += by) {
        if (wanted(all[next])) return select(all[next], true);
      }
    };

    const fetchPage = async () => {
      const answer = await fetch(location.pathname);
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const open = [...document.querySelectorAll(".lines > li > details[open]")].map((details) => details.parentElement.id);
      const at = current() && current().id;
      const held = document.activeElement && document.activeElement.matches(".lines > li > details > summary");
      document.title = page.title;
      main.className = page.querySelector("main").className;
      main.replaceChildren(...page.querySelector("main").childNodes);
      localTime(main);
      open.forEach((id) => $(id) && ($(id).firstElementChild.open = true));
      // What was chosen stays; what a page opened with by itself gives way to what says more.
      const chosen = at && $(at) && (held || location.hash === `#${at}`);
      if (chosen) select($(at), held); else begin();
    };
    // One at a time: what comes meanwhile is seen by one more.
    let busy = false, stale = false;
    const renew = async () => {
      stale = true;
      if (busy) return;
      busy = true;
      try {
        while (stale) {
          stale = false;
          await fetchPage();
        }
      } finally {
        busy = false;
      }
    };
    listen(main.dataset.events, renew);
    if (lines().length) begin();
    addEventListener("hashchange", begin);
    return {
      j: () => step(() => true, 1),
      k: () => step(() => true, -1),
      e: () => step(failed, 1),
      E: () => step(failed, -1),
      u: () => (location.href = "/"),
    };
  };

  const copy = async (button) => {
    try { await navigator.clipboard.writeText(button.dataset.copy); } catch { return; }
    button.classList.add("done");
    setTimeout(() => button.classList.remove("done"), 1200);
  };

  document.addEventListener("DOMContentLoaded", () => {
    const main = $("main");
    localTime(main);
    let keys = {};
    if ($("rows")) keys = list(main);
    else if (main.dataset.events) keys = trace(main);
    Object.assign(keys, { t: toggleTheme, "?": () => $("keys").showModal(), "/": () => { $("search").focus(); $("search").select(); } });

    $("theme").addEventListener("click", toggleTheme);
    $("help").addEventListener("click", keys["?"]);
    document.addEventListener("click", (event) => {
      const button = event.target.closest("button.copy");
      if (button) copy(button);
    });
    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || $("keys").open) return;
      if (event.target.matches("input")) {
        if (event.key === "Escape") event.target.blur();
        return;
      }
      // A link or a button that has the focus answers Enter itself.
      if (event.key === "Enter" && event.target.matches("a, button, summary")) return;
      const act = keys[event.key];
      if (!act) return;
      event.preventDefault();
      act();
    });
  });
})();
