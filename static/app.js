// What every page does beside htmx: say whether it is live, and heal.
// The scripts of a page share their top-level names. None builds HTML.
"use strict";

const STALE_MS = 30_000; // three heartbeats
const RETRY_MS = 2_000;
const SAY_MS = 10_000; // a screen reader is told of news at most so often

const live = { connection: null, source: null, heardAt: 0, isPaused: false, refusedWith: "" };

const byId = (id) => document.getElementById(id);
const on = (type, hear) => document.addEventListener(type, hear);

function setLive(isLive, words) {
  document.body.dataset.live = isLive ? "on" : "off";
  const shown = byId("live-words");
  if (shown && shown.textContent !== words) shown.textContent = words;
  showAge();
}

function showAge() {
  const age = byId("live-age");
  if (!age) return;
  const seconds = Math.round((Date.now() - live.heardAt) / 1000);
  age.textContent = document.body.dataset.live === "on" ? `· ${seconds} s` : "";
}

function heard() {
  live.heardAt = Date.now();
  live.isPaused = false;
  live.refusedWith = "";
  if (byId("resume")) byId("resume").hidden = true;
  document.dispatchEvent(new CustomEvent("live:heard"));
  if (document.body.dataset.live !== "on") setLive(true, "Live");
  else showAge();
}

function lost() {
  if (!live.isPaused) setLive(false, navigator.onLine ? live.refusedWith || "Reconnecting" : "Offline");
}

// The server says why it refuses a stream by the status alone.
function refused(status) {
  live.refusedWith = status === 429 ? "Not live: too many open pages" : "";
  lost();
}

setLive(false, "Connecting");

// --- the stream

on("htmx:sse:after:connection", (event) => {
  live.connection = event.detail.connection;
  live.source = event.target;
  heard();
});
on("htmx:sse:after:message", heard);
on("beat", heard);
// Also right after a stream has ended.
on("htmx:sse:before:connection", (event) => {
  if (event.detail.connection.attempt > 0) lost();
});
on("htmx:response:error", (event) => {
  if (event.target === byId("stream")) refused(event.detail.ctx.response.status);
});
on("htmx:sse:error", (event) => {
  refused(event.detail.status);
  if (event.detail.status === 401) location.assign("/sign-in?next=" + encodeURIComponent(location.pathname + location.search));
});
on("htmx:sse:close", lost);
window.addEventListener("offline", lost);

// Silence for long is not live, whatever the connection says.
setInterval(() => {
  showAge();
  if (document.hidden || live.isPaused || live.refusedWith || !live.heardAt || Date.now() - live.heardAt < STALE_MS) return;
  const form = { timeStyle: "short", timeZone: document.body.dataset.zone };
  setLive(false, "Stale since " + new Date(live.heardAt).toLocaleTimeString("en-GB", form));
  live.connection?.reader?.cancel();
}, 1_000);

// --- redrawing

// Too far behind, or the day has turned. Not all at once: every page may have been told so.
on("reload", () => byId("board") && setTimeout(redraw, Math.random() * RETRY_MS));

// All but the open call; tried until it is there.
async function redraw() {
  setLive(false, "Reconnecting");
  if ((await drawBoard(location.search)) === false) setTimeout(redraw, RETRY_MS);
}

async function drawBoard(search, address) {
  const hasCome = await replace("board", "/" + search, address);
  if (hasCome) document.dispatchEvent(new CustomEvent("board:redrawn"));
  return hasCome;
}

const turns = {};

// Puts a part from there in place. False: the server is away. Undefined: another was asked for meanwhile.
async function replace(id, from, address) {
  const turn = (turns[id] = (turns[id] ?? 0) + 1);
  document.body.ariaBusy = "true";
  const headers = { "HX-Request": "true", "HX-Request-Type": id === "call" ? "partial" : "full" };
  const answer = await fetch(from, { headers }).catch(() => null);
  const text = await answer?.text().catch(() => null);
  if (turn !== turns[id]) return undefined;
  document.body.ariaBusy = null;
  if (text == null || answer.status === 429 || answer.status > 500) return (address ? setLive(false, "Not reached: try again") : lost()) ?? false;
  if (!answer.ok) return location.assign(from); // the server's own page says what is wrong
  if (address) history.pushState(null, "", address());
  const swap = "outerHTML" + (id === "call" ? "" : " ignoreTitle:true");
  await htmx.swap({ text, target: "#" + id, select: "#" + id, swap, sourceElement: document.body });
  return true;
}

// --- what is said aloud

let toSay = "";
let saidAt = 0;
let sayTimer = null;

function say(words) {
  toSay = words;
  sayTimer ??= setTimeout(sayIt, Math.max(200, saidAt + SAY_MS - Date.now()));
}

function sayIt() {
  sayTimer = null;
  saidAt = Date.now();
  byId("said").textContent = toSay;
}

// --- light and dark

const themeButton = byId("theme");
if (themeButton) {
  themeButton.hidden = false;
  themeButton.addEventListener("click", () => {
    const root = document.documentElement;
    const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = isDark ? "light" : "dark";
    document.cookie = `theme=${root.dataset.theme}; path=/; max-age=31536000; samesite=lax`;
  });
}
