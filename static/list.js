// The list: every row in its place, and none moves under a reader's eyes.
"use strict";

const MOST_ROWS = 200; // a board left open all day must not grow for ever
const MOST_HELD = 1_000;

// Rows that came while one reads; null: it left.
const held = new Map();
let tooMany = 0; // that were held, and are drawn anew when asked for

on("htmx:before:swap", (event) => {
  for (const task of event.detail.tasks) if (task.swapSpec?.style === "upsert") settleRows(task.fragment);
});

// hx-upsert replaces a row where it stands and inserts any other by its key. It does not know of rows that move, leave
// or belong further down than this page goes, nor that somebody reads.
function settleRows(fragment) {
  const calls = byId("calls");
  const oldest = olderRemain() ? calls.lastElementChild?.dataset.key : undefined;
  for (const row of [...fragment.children]) {
    const present = byId(row.id);
    if ("gone" in row.dataset) {
      row.remove();
      leave(row.id, present, row.dataset.gone);
      if (row.dataset.gone && row.id === "call-" + openId()) emptyCall();
      continue;
    }
    noteChange(row, held.get(row.id) ?? present);
    if (present && present.dataset.key === row.dataset.key && !held.has(row.id)) continue;
    if (oldest && row.dataset.key < oldest && !loadingOlder?.isConnected) {
      row.remove();
      leave(row.id, present);
    } else if (isReading() || held.has(row.id) || loadingOlder?.isConnected) hold(row);
    else present?.remove();
  }
  showHeld();
}

function leave(id, present, forGood) {
  if (present && !forGood && isReading()) return held.set(id, null);
  held.delete(id);
  present?.remove();
}

function hold(row) {
  held.set(row.id, row);
  row.remove();
  if (held.size <= MOST_HELD) return;
  tooMany += held.size;
  held.clear();
}

function showHeld() {
  const button = byId("held");
  if (!button) return;
  const count = tooMany + [...held].filter(([id, row]) => row && !byId(id)).length;
  button.hidden = !held.size && !tooMany;
  button.firstElementChild.textContent = count ? count + " new" : "Show changes";
  if (count) say(`New calls waiting: ${count}`);
}

function showNew() {
  byId("list").scrollTo(0, 0);
  if (tooMany) return redraw();
  for (const [id, row] of held) {
    byId(id)?.remove();
    if (row) place(row);
  }
  forgetHeld();
  trimRows({ asked: true });
  settled();
}

function forgetHeld() {
  held.clear();
  tooMany = 0;
  showHeld();
}

function place(row) {
  const calls = byId("calls");
  const next = [...calls.children].find((other) => other.dataset.key < row.dataset.key);
  calls.insertBefore(row, next ?? null);
}

// --- is somebody reading

function isReading() {
  const list = byId("list");
  const call = byId("call");
  if (document.hidden || !list) return false;
  const inside = (part) => part && !part.hidden && (part.contains(document.activeElement) || part.matches(":hover"));
  const isScrolled = list.scrollTop > 4 || (list.scrollHeight <= list.clientHeight && list.getBoundingClientRect().top < 0);
  return isScrolled || inside(list) || inside(call);
}

let leaveTimer = null;

function maybeLeft() {
  clearTimeout(leaveTimer);
  leaveTimer = setTimeout(() => {
    if (isReading()) return;
    delete byId("calls").dataset.grown;
    if (held.size || tooMany) showNew();
    else trimRows();
  }, 400);
}

for (const type of ["pointerout", "focusout", "scroll"]) document.addEventListener(type, maybeLeft, true);
on("click", (event) => {
  if (event.target.closest("#held")) showNew();
});

// --- after every change

on("htmx:after:swap", settled);
on("board:redrawn", () => {
  outsideAtFirst = null;
  stopLoadingOlder();
  forgetHeld();
  settled();
});

function settled() {
  trimRows();
  noteOutside();
  document.dispatchEvent(new CustomEvent("list:settled"));
}

function trimRows({ asked = false } = {}) {
  const calls = byId("calls");
  const older = byId("older");
  if (!calls || !older || calls.childElementCount <= MOST_ROWS || calls.dataset.grown) return;
  if (isReading() && !asked) return;
  while (calls.childElementCount > MOST_ROWS) calls.lastElementChild.remove();
  const link = older.querySelector("a");
  const address = new URL("/" + location.search, location.origin);
  address.searchParams.set("before", calls.lastElementChild.dataset.key);
  for (const name of ["href", "hx-get"]) link.setAttribute(name, address.pathname + address.search);
  older.hidden = false;
}

// Who asked for older calls keeps them while reading; what changes on their way is put in afterwards.
let loadingOlder = null; // the link, which goes when they have come

on("click", (event) => {
  const link = event.target.closest("#older a");
  if (!link) return;
  byId("calls").dataset.grown = "true";
  loadingOlder = link;
});

// A refusal is an answer to htmx, no error.
for (const type of ["htmx:error", "htmx:response:error"]) {
  on(type, (event) => {
    if (!loadingOlder || event.target !== loadingOlder) return;
    stopLoadingOlder();
    maybeLeft();
    say("Older calls could not be loaded. Try again in a few seconds.");
  });
}

function stopLoadingOlder() {
  loadingOlder = null;
  document.dispatchEvent(new CustomEvent("older:stopped"));
}

const olderRemain = () => byId("older") && !byId("older").hidden;

const toldOf = new Set(); // conversions: a row that left the end of the list may come again

function noteChange(row, before) {
  // Not by its own first number: it may have changed before it was first sent.
  const isNew = !before && row.dataset.created - byId("board").dataset.cursor > 0;
  const was = before ? before.dataset.stage : isNew ? "" : "converted";
  if (row.dataset.stage === "converted" && was !== "converted" && !toldOf.has(row.id)) {
    toldOf.add(row.id);
    document.dispatchEvent(new CustomEvent("call:converted", { detail: row }));
  }
  if (isNew) say("A new call came in.");
}

// --- calls outside the view

let outsideAtFirst = null;

function noteOutside() {
  const line = byId("outside");
  if (!line) return;
  const now = Number(line.dataset.outside);
  outsideAtFirst ??= now;
  const more = now - outsideAtFirst;
  line.hidden = more <= 0;
  line.firstElementChild.textContent = `${more} more ${more === 1 ? "call is" : "calls are"} outside this view.`;
}

noteOutside();
