// What the page does by itself beside htmx: say whether it is live, keep the list in order, heal.
// Builds no HTML; finds its elements by id and data- attributes.
"use strict";

const STALE_MS = 30_000; // three heartbeats
const RETRY_MS = 2_000;
const MOST_ROWS = 200; // a board left open all day must not grow for ever

const live = { connection: null, heardAt: 0, staleSince: null };

const byId = (id) => document.getElementById(id);

function setLive(on, words) {
  document.body.dataset.live = on ? "on" : "off";
  const pill = byId("live-pill");
  if (pill && pill.textContent !== words) pill.textContent = words;
}

function heard() {
  live.heardAt = Date.now();
  live.staleSince = null;
  if (document.body.dataset.live !== "on") setLive(true, "Live");
}

function lost() {
  setLive(false, navigator.onLine ? "Reconnecting" : "Offline");
}

// --- the stream -----------------------------------------------------------------------------------------------------

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
  // hx-sse lets go of the stream of a hidden tab and resumes by id.
  if (document.hidden) setLive(false, "Paused");
});
window.addEventListener("offline", lost);

// A connection whose other end is gone without a word looks open for ever: nothing heard for long is not live.
setInterval(() => {
  if (document.hidden || !live.heardAt || Date.now() - live.heardAt < STALE_MS) return;
  live.staleSince ??= new Date(live.heardAt);
  setLive(false, "Stale since " + live.staleSince.toTimeString().slice(0, 5));
  live.connection?.reader?.cancel();
}, 5_000);

// The server says that this page is too far behind, or that the day has turned: draw it anew.
// Not all at once: every open page may have been told in the same moment.
document.addEventListener("reload", () => setTimeout(redraw, Math.random() * RETRY_MS));

async function redraw() {
  const before = byId("stream");
  setLive(false, "Reconnecting");
  try {
    await htmx.ajax("GET", location.href, { target: "#board", select: "#board", swap: "outerHTML" });
    outsideAtFirst = null;
    late = 0;
    noteOutside();
  } catch {
    // Tried again below.
  }
  if (byId("stream") === before) setTimeout(redraw, RETRY_MS);
}

// --- the list -------------------------------------------------------------------------------------------------------

document.addEventListener("htmx:before:swap", (event) => {
  for (const task of event.detail.tasks) {
    if (task.swapSpec?.style === "upsert") settleRows(task.fragment);
  }
});

// hx-upsert replaces a row where it stands and inserts any other by its key. Two things it does not know: a row whose
// time has changed must move, and a row older than the last one here belongs to a page further down.
function settleRows(fragment) {
  const calls = byId("calls");
  const oldest = olderRemain() ? calls.lastElementChild?.dataset.key : undefined;
  for (const row of [...fragment.children]) {
    const present = byId(row.id);
    if (present && present.dataset.key === row.dataset.key) continue;
    if (oldest && row.dataset.key < oldest) {
      row.remove();
      if (!present && "new" in row.dataset) noteLate();
    }
    present?.remove();
  }
}

document.addEventListener("htmx:after:swap", () => {
  trimRows();
  noteOutside();
});

function trimRows() {
  const calls = byId("calls");
  const older = byId("older");
  if (!calls || !older || calls.childElementCount <= MOST_ROWS || calls.dataset.grown) return;
  while (calls.childElementCount > MOST_ROWS) calls.lastElementChild.remove();
  const link = older.querySelector("a");
  const address = new URL(location.href);
  address.searchParams.set("before", calls.lastElementChild.dataset.key);
  link.setAttribute("href", address.pathname + address.search);
  link.setAttribute("hx-get", address.pathname + address.search);
  older.hidden = false;
}

// Who asked for older calls keeps them: the list is trimmed only while it shows the newest.
document.addEventListener("click", (event) => {
  if (event.target.closest("#older a")) byId("calls").dataset.grown = "true";
});

const olderRemain = () => byId("older") && !byId("older").hidden;

let late = 0;

function noteLate() {
  const line = byId("late");
  if (!line) return;
  late += 1;
  line.textContent = late === 1 ? "1 late call took its place further down." : `${late} late calls took their place further down.`;
  line.hidden = false;
}

// --- calls outside the view -----------------------------------------------------------------------------------------

let outsideAtFirst = null;

function noteOutside() {
  const line = byId("outside");
  if (!line) return;
  const now = Number(line.dataset.outside);
  outsideAtFirst ??= now;
  const more = now - outsideAtFirst;
  line.hidden = more <= 0;
  line.firstElementChild.textContent = more === 1 ? "1 more call is outside this view." : `${more} more calls are outside this view.`;
}

noteOutside();
