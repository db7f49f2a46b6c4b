// The call beside the list: it opens, plays and obeys the keys.
"use strict";

const SPEEDS = [0.75, 1, 1.25, 1.5, 1.75, 2];

const openId = () => byId("call")?.dataset.call ?? "";
const idIn = (path) => path.match(/^\/calls\/(\d+)$/)?.[1] ?? "";
const rowOf = (id) => byId("call-" + id);
const isNarrow = () => innerWidth < 900; // where the call stands in the place of the list
let listScroll = 0;

// --- opening and closing

let askedId = null; // which may not have come yet

async function openCall(id, { push = true } = {}) {
  askedId = id;
  const address = () => `/calls/${id}${location.search}`;
  if (!(await replace("call", address(), push && address))) return;
  listScroll ||= scrollY;
  byId("call").scrollTop = 0;
  if (isNarrow()) scrollTo(0, 0);
  markOpen();
}

function closeCall({ push = true } = {}) {
  const call = byId("call");
  const row = rowOf(openId());
  call.replaceChildren();
  call.hidden = true;
  delete call.dataset.call;
  if (push) history.pushState(null, "", "/" + location.search);
  document.title = byId("board").dataset.title;
  askedId = null;
  markOpen();
  row?.querySelector("a").focus({ preventScroll: true });
  if (isNarrow()) scrollTo(0, listScroll);
  listScroll = 0;
}

// What was erased stays in no page or title.
function emptyCall() {
  const call = byId("call");
  call.replaceChildren(call.querySelector(".close"), "This call was taken off the board.");
  document.title = byId("board").dataset.title;
}

function markOpen() {
  for (const row of document.querySelectorAll("#calls > [aria-current]")) row.removeAttribute("aria-current");
  rowOf(openId())?.setAttribute("aria-current", "true");
  readyPlayer();
}

on("list:settled", () => {
  markOpen();
  const call = byId("call");
  const row = held.get("call-" + openId()) ?? rowOf(openId());
  if (!(row?.dataset.seq - call.dataset.seq > 0)) return;
  call.dataset.seq = row.dataset.seq;
  // A recording that has come is put in; what is being read or heard stays until it is asked for.
  if (!call.querySelector("audio")) replace("player", `/calls/${openId()}`).then(readyPlayer);
  byId("call-changed").hidden = false;
});

const isPlain = (event) => event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;

on("click", (event) => {
  if (event.defaultPrevented || !isPlain(event)) return;
  const link = event.target.closest("a");
  const row = event.target.closest("#calls > tr");
  if (link?.dataset.call) {
    event.preventDefault();
    openCall(link.dataset.call);
  } else if (row && !getSelection().toString()) {
    event.preventDefault();
    openCall(row.id.slice(5));
  } else if (link?.matches("#call .close")) {
    event.preventDefault();
    closeCall();
  } else if (link?.matches('#board a[href="/"], #board a[href^="/?"]') && !link.closest("#older")) {
    event.preventDefault();
    filterBy(new URL(link.href).search, link);
  }
});

// --- the filter and the way back

let asked = location.search; // the filter, which may not have come yet

async function filterBy(search, link) {
  const menu = link?.closest("details[data-choice]")?.dataset.choice;
  asked = search;
  await drawBoard(search, () => (openId() ? `/calls/${openId()}` : "/") + search);
  const again = menu && document.querySelector(`details[data-choice="${menu}"]`);
  if (again) {
    again.open = true;
    again.querySelector("summary").focus();
  }
}

on("submit", (event) => {
  if (!event.target.matches("#filters form")) return;
  event.preventDefault();
  filterBy("?" + new URLSearchParams([...new FormData(event.target)].filter(([, value]) => value)));
});

// The list stays when only the call is another.
window.addEventListener("popstate", () => {
  const id = idIn(location.pathname);
  asked = location.search;
  if (location.search.slice(1) !== byId("board").dataset.query) redraw();
  if (id && id !== openId()) openCall(id, { push: false });
  else if (!id && openId()) closeCall({ push: false });
});

on("pointerdown", (event) => {
  const inside = event.target.closest("details.choice");
  for (const menu of document.querySelectorAll("details.choice[open]")) if (menu !== inside) menu.open = false;
});

// --- the recording

const audioOf = () => document.querySelector("#call audio");

// The player stays at the top of the call while it scrolls: what a link leads to must not come to lie under it.
const playerSize = new ResizeObserver(([{ target }]) => {
  byId("call").style.setProperty("--player", target.offsetHeight + "px");
});

function readyPlayer() {
  const audio = audioOf();
  playerSize.disconnect();
  if (byId("player")) playerSize.observe(byId("player"));
  const button = byId("speed");
  if (!audio || !button?.hidden) return;
  button.hidden = false;
  setSpeed(Number(localStorage.getItem("speed")) || 1);
  button.addEventListener("click", () => setSpeed(SPEEDS[(SPEEDS.indexOf(audio.playbackRate) + 1) % SPEEDS.length]));
}

function setSpeed(speed) {
  const audio = audioOf();
  if (!audio || !SPEEDS.includes(speed)) return;
  audio.playbackRate = audio.defaultPlaybackRate = speed;
  byId("speed").textContent = `${speed}×`;
  localStorage.setItem("speed", speed);
}

function playOrPause() {
  const audio = audioOf();
  if (audio) audio.paused ? audio.play() : audio.pause();
}

function step(seconds) {
  const audio = audioOf();
  if (audio) audio.currentTime = Math.min(Math.max(0, audio.currentTime + seconds), audio.duration || 0);
}

function changeSpeed(by) {
  const audio = audioOf();
  if (audio) setSpeed(SPEEDS[SPEEDS.indexOf(audio.playbackRate) + by]);
}

// --- keys

function neighbour(by) {
  const rows = [...byId("calls").children];
  const at = rows.findIndex((row) => row.id === "call-" + (askedId ?? openId()));
  const row = at < 0 ? rows[0] : rows[at + by];
  if (!row && by > 0 && olderRemain()) return loadOlderAndOpen();
  if (!row) return say(by > 0 ? "There are no older calls." : "This is the newest call.");
  openCall(row.id.slice(5));
  row.querySelector("a").focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
}

// The keys go on past the last row that is loaded.
let openNext = null; // while older calls are on their way

function loadOlderAndOpen() {
  if (openNext) return;
  openNext = () => {
    // Not by the number of rows: a row can leave meanwhile, and the older calls may have been erased.
    if (loadingOlder?.isConnected) return;
    forgetNext();
    neighbour(1);
  };
  on("list:settled", openNext);
  byId("older").querySelector("a").click();
}

function forgetNext() {
  document.removeEventListener("list:settled", openNext);
  openNext = null;
}

on("older:stopped", forgetNext);

function openCampaigns() {
  const menu = document.querySelector('details[data-choice="campaign"]');
  menu.open = true;
  (menu.querySelector("li a") ?? menu.querySelector("summary")).focus();
}

function toggleToday() {
  const search = new URLSearchParams(asked);
  const isToday = search.get("period") === "today";
  for (const name of ["period", "from", "to"]) search.delete(name);
  if (!isToday) search.set("period", "today");
  filterBy(search.size ? "?" + search : "");
}

function escape() {
  const menu = document.querySelector("details.choice[open]");
  if (menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
  } else if (openId()) closeCall();
}

const KEYS = {
  j: () => neighbour(1),
  k: () => neighbour(-1),
  n: () => showNew(),
  " ": playOrPause,
  ArrowLeft: () => step(-5),
  ArrowRight: () => step(5),
  "[": () => changeSpeed(-1),
  "]": () => changeSpeed(1),
  c: openCampaigns,
  t: toggleToday,
  Escape: escape,
  "?": () => byId("keys").showModal(),
};

on("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || byId("keys").open) return;
  if (event.target.closest("input, select, textarea")) return;
  const isControl = event.target.closest("button, summary, audio");
  if (event.key === " " && (isControl || !audioOf())) return;
  if (event.key.startsWith("Arrow") && (!audioOf() || event.target.closest("audio"))) return;
  const action = KEYS[event.key];
  if (!action) return;
  event.preventDefault();
  action();
});

byId("keys-button").hidden = false;
byId("keys-button").addEventListener("click", () => byId("keys").showModal());

markOpen();
