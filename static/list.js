// The list: every row in its place, and none that moves under a reader's eyes.
"use strict";

const MOST_ROWS = 200; // a board left open all day must not grow for ever
const MOST_HELD = 1_000;

// Rows that came while somebody reads, by id; null for one that left.
const held = new Map();
let heldTooMany = false;
let newCount = 0;

document.addEventListener("htmx:before:swap", (event) => {
  const tasks = event.detail.tasks;
  for (const task of [...tasks]) {
    if (task.swapSpec?.style === "upsert") settleRows(task.fragment);
    else if (task.swapSpec?.style === "delete" && holdsDrop(task)) tasks.splice(tasks.indexOf(task), 1);
  }
});

// hx-upsert replaces a row where it stands and inserts any other by its key. It does not know that a row whose time has
// changed must move, that one older than the last here belongs further down, and that readers are not disturbed.
function settleRows(fragment) {
  const calls = byId("calls");
  const oldest = olderRemain() ? calls.lastElementChild?.dataset.key : undefined;
  for (const row of [...fragment.children]) {
    const present = byId(row.id);
    noteChange(row, present);
    if (present && present.dataset.key === row.dataset.key && !held.has(row.id)) continue;
    if (oldest && row.dataset.key < oldest) {
      row.remove();
      if (!present && "new" in row.dataset) noteLate();
      present?.remove();
      held.delete(row.id);
      continue;
    }
    if (isReading() || held.has(row.id)) hold(row);
    else present?.remove();
  }
}

function holdsDrop(task) {
  const id = typeof task.target === "string" ? task.target.slice(1) : task.target?.id;
  if (!byId(id)) return held.delete(id);
  if (!isReading()) return false;
  held.set(id, null);
  showHeld();
  return true;
}

function hold(row) {
  if (!held.has(row.id) && !byId(row.id)) newCount += 1;
  held.set(row.id, row);
  row.remove();
  if (held.size > MOST_HELD) {
    held.clear();
    heldTooMany = true; // they are drawn anew when asked for
  }
  showHeld();
}

function showHeld() {
  const button = byId("held");
  button.hidden = !held.size && !heldTooMany;
  button.firstElementChild.textContent = newCount ? newCount + " new" : "Show changes";
  if (newCount) say(`New calls waiting: ${newCount}`);
}

function showNew() {
  if (heldTooMany) return redraw();
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
  heldTooMany = false;
  newCount = 0;
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
  return inside(list) || inside(call) || isScrolled;
}

let leaveTimer = null;

function maybeLeft() {
  clearTimeout(leaveTimer);
  leaveTimer = setTimeout(() => {
    if ((held.size || heldTooMany) && !isReading()) showNew();
  }, 400);
}

for (const type of ["pointerout", "focusout", "scroll"]) document.addEventListener(type, maybeLeft, { capture: true, passive: true });
document.addEventListener("click", (event) => {
  if (!event.target.closest("#held")) return;
  showNew();
  byId("list").scrollTo({ top: 0 });
});

// --- after every change

document.addEventListener("htmx:after:swap", settled);
document.addEventListener("board:redrawn", () => {
  outsideAtFirst = null;
  late = 0;
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
  link.setAttribute("href", address.pathname + address.search);
  link.setAttribute("hx-get", address.pathname + address.search);
  older.hidden = false;
}

// Who asked for older calls keeps them: the list is trimmed only while it shows the newest.
document.addEventListener("click", (event) => {
  if (event.target.closest("#older a")) byId("calls").dataset.grown = "true";
});

const olderRemain = () => byId("older") && !byId("older").hidden;

function noteChange(row, present) {
  if (row.dataset.stage === "converted" && present?.dataset.stage !== "converted") {
    document.dispatchEvent(new CustomEvent("call:converted", { detail: row }));
  }
  if (!present && "new" in row.dataset) say("A new call came in.");
}

// --- late calls, and calls outside the view

let late = 0;

function noteLate() {
  const line = byId("late");
  if (!line) return;
  late += 1;
  line.textContent = `${late} late ${late === 1 ? "call took its" : "calls took their"} place further down.`;
  line.hidden = false;
}

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
