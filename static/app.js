// What every page does by itself beside htmx: say whether it is live, and heal.
// The scripts of a page share their top-level names. None builds HTML.
"use strict";

const STALE_MS = 30_000; // three heartbeats
const RETRY_MS = 2_000;
const SAY_MS = 10_000; // a screen reader is told of news at most so often

const live = { connection: null, heardAt: 0, staleSince: null };

const byId = (id) => document.getElementById(id);

function setLive(on, words) {
  document.body.dataset.live = on ? "on" : "off";
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
  live.staleSince = null;
  if (document.body.dataset.live !== "on") setLive(true, "Live");
  else showAge();
}

function lost() {
  setLive(false, navigator.onLine ? "Reconnecting" : "Offline");
}

// --- the stream

document.addEventListener("htmx:sse:after:connection", (event) => {
  live.connection = event.detail.connection;
  heard();
});
document.addEventListener("htmx:sse:after:message", heard);
document.addEventListener("beat", heard);
// Comes before every attempt to connect again, so also right after a stream has ended.
document.addEventListener("htmx:sse:before:connection", (event) => {
  if (event.detail.connection.attempt > 0) lost();
});
document.addEventListener("htmx:sse:error", (event) => {
  lost();
  if (event.detail.status === 401) location.assign("/sign-in?next=" + encodeURIComponent(location.pathname + location.search));
});
document.addEventListener("htmx:sse:close", lost);
document.addEventListener("visibilitychange", () => {
  // hx-sse lets go of the stream of a hidden tab and resumes by id, unless the tab has asked to be told of conversions.
  if (document.hidden && htmx.config.sse.pauseOnBackground !== false) setLive(false, "Paused");
});
window.addEventListener("offline", lost);

// A connection whose other end is gone without a word looks open for ever: nothing heard for long is not live.
setInterval(() => {
  showAge();
  if (document.hidden || !live.heardAt || Date.now() - live.heardAt < STALE_MS) return;
  live.staleSince ??= new Date(live.heardAt);
  setLive(false, "Stale since " + live.staleSince.toTimeString().slice(0, 5));
  live.connection?.reader?.cancel();
}, 1_000);

// --- redrawing

// The server says that this page is too far behind, or that the day has turned: draw it anew.
// Not all at once: every open page may have been told in the same moment.
document.addEventListener("reload", () => setTimeout(byId("board") ? redraw : renew, Math.random() * RETRY_MS));

// A page that is left for one that does not come stays away: first it is made sure that the server is there.
async function renew() {
  const answer = await fetch(location.href).catch(() => null);
  if (answer?.ok) location.reload();
  else setTimeout(renew, RETRY_MS);
}

// Everything but the open call, from the server; tried until it is there.
async function redraw() {
  setLive(false, "Reconnecting");
  if (!(await drawBoard(location.search))) setTimeout(redraw, RETRY_MS);
}

async function drawBoard(search) {
  const hasCome = await replace("board", "/" + search, "#board");
  if (hasCome) document.dispatchEvent(new CustomEvent("board:redrawn"));
  return hasCome;
}

// Whether the part has come from that address.
async function replace(id, address, select) {
  const before = byId(id);
  document.body.ariaBusy = "true";
  await htmx.ajax("GET", address, { target: "#" + id, select, swap: "outerHTML" }).catch(() => {});
  document.body.ariaBusy = null;
  return byId(id) !== before;
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
