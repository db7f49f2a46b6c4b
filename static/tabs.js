// Over HTTP/1.1 a browser has six connections for the board, whatever the number of its tabs. Four tabs at most hold a
// stream, so that a click always goes through; of the hidden tabs, one of each view that asked for alerts.
// A lease in localStorage says which: Web Locks are missing where a board is reached by plain http.
"use strict";

const LEASE_MS = 40_000; // renewed with every heartbeat
const SLOTS = [1, 2, 3, 4].map((number) => "stream-" + number);
const TAB = String(Math.random());
// Over HTTP/2 there is one connection for all tabs.
const isLimited = !/^h[23]/.test(performance.getEntriesByType("navigation")[0]?.nextHopProtocol ?? "");

const tab = { slot: null, lead: null, seenAt: Date.now(), mayTakeOver: true };

const stream = () => byId("stream");

function leaseOf(name) {
  try {
    const found = JSON.parse(localStorage.getItem(name));
    return Math.abs(Date.now() - found.at) < LEASE_MS ? found : null;
  } catch {
    return null; // none, or one that cannot be read
  }
}

function renewLease(name) {
  try {
    localStorage.setItem(name, JSON.stringify({ tab: TAB, at: Date.now(), seenAt: tab.seenAt }));
  } catch {
    // Without a place to write to, every tab is on its own.
  }
}

const isMine = (name) => leaseOf(name)?.tab === TAB;
const seenAt = (name) => leaseOf(name)?.seenAt ?? 0;

function releaseLease(name) {
  if (name && isMine(name)) localStorage.removeItem(name);
}

function takeLease(name) {
  if (leaseOf(name) && !isMine(name)) return false;
  renewLease(name);
  return true;
}

// A tab that somebody turns to takes the slot of the one that was looked at longest ago.
function takeSlot() {
  if (!isLimited || (tab.slot && isMine(tab.slot))) return true;
  tab.slot = SLOTS.find(takeLease) ?? null;
  if (!tab.slot && tab.mayTakeOver) renewLease((tab.slot = SLOTS.reduce((a, b) => (seenAt(a) <= seenAt(b) ? a : b))));
  tab.mayTakeOver = false;
  return tab.slot !== null;
}

// A hidden tab keeps its stream for the alerts of its view, unless another one does.
function leads() {
  if (typeof wantsAlerts !== "function" || !wantsAlerts()) return false;
  tab.lead = "alerts-" + (byId("board")?.dataset.query ?? "");
  return takeLease(tab.lead);
}

const mayStream = () => (!document.hidden || leads()) && takeSlot();

function pause() {
  releaseLease(tab.slot);
  tab.slot = null;
  live.connection?.reader?.cancel();
  showPaused();
}

function showPaused() {
  live.isPaused = true;
  setLive(false, document.hidden ? "Paused" : "Paused: too many open tabs");
  if (byId("resume")) byId("resume").hidden = document.hidden;
}

function resume() {
  if (!stream() || document.body.dataset.live === "on") return;
  htmx.trigger(stream(), "resume");
}

function turnTo() {
  tab.seenAt = Date.now();
  tab.mayTakeOver = true;
  if (tab.slot && isMine(tab.slot)) renewLease(tab.slot);
  resume();
}

// The first request of a stream, and each of its reconnects.
on("htmx:before:request", (event) => {
  if (event.target !== stream()) return;
  if (!mayStream()) {
    event.preventDefault();
    return showPaused();
  }
  live.isPaused = false;
  if (live.source === stream() && live.connection?.lastEventId) {
    event.detail.ctx.request.headers["Last-Event-ID"] = live.connection.lastEventId;
  }
});
on("htmx:sse:before:connection", (event) => {
  if (mayStream()) return;
  event.preventDefault();
  showPaused();
});
on("live:heard", () => {
  if (!mayStream()) return pause();
  if (tab.slot) renewLease(tab.slot);
  if (document.hidden) renewLease(tab.lead);
});

on("visibilitychange", () => {
  if (!document.hidden) {
    releaseLease(tab.lead);
    turnTo();
  } else if (!mayStream()) pause();
});
window.addEventListener("focus", turnTo);
for (const type of ["pointerdown", "keydown"]) document.addEventListener(type, () => live.isPaused && turnTo(), true);
window.addEventListener("storage", (event) => {
  if (event.key === tab.slot && !isMine(tab.slot)) pause();
  else if (event.newValue === null && live.isPaused) resume();
});
window.addEventListener("pagehide", () => {
  releaseLease(tab.slot);
  releaseLease(tab.lead);
});
