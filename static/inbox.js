// The inbox: new reports come in at the top, or wait behind a button while somebody reads or chooses.
"use strict";

const MOST_REPORTS = 200; // an inbox left open all day must not grow for ever

const waiting = []; // rows, the oldest first
let isBehind = false; // the page has missed more than it can be given

on("htmx:before:swap", (event) => {
  for (const task of event.detail.tasks) if (task.swapSpec?.style === "upsert") receive(task.fragment);
});
on("htmx:after:swap", trim);

function receive(fragment) {
  const rows = [...fragment.children].filter((row) => !byId(row.id));
  say(rows.length === 1 ? "A new report came in." : `${rows.length} new reports came in.`);
  if (!isReading()) return;
  for (const row of rows) {
    row.remove();
    waiting.push(row);
  }
  while (waiting.length > MOST_REPORTS) waiting.shift();
  showWaiting();
}

function isReading() {
  const form = byId("inbox");
  return document.hidden || scrollY > 4 || form.matches(":hover, :focus-within") || form.querySelector(":checked") !== null;
}

function showWaiting() {
  const button = byId("held");
  button.hidden = !waiting.length && !isBehind;
  button.textContent = isBehind ? "Load the newest" : `${waiting.length} new`;
}

byId("held").addEventListener("click", () => {
  if (isBehind) return renew();
  for (const row of waiting.splice(0)) byId("reports").prepend(row);
  showWaiting();
  trim();
});

function trim() {
  const reports = byId("reports");
  if (isReading() || reports.childElementCount <= MOST_REPORTS) return;
  while (reports.childElementCount > MOST_REPORTS) reports.lastElementChild.remove();
  const older = new URL("/inbox" + location.search, location.origin);
  older.searchParams.set("before", reports.lastElementChild.dataset.key);
  byId("older").firstElementChild.href = older;
  byId("older").hidden = false;
}

// A page that is left for one that does not come stays away: first it is made sure that the server is there.
async function renew() {
  const answer = await fetch(location.href).catch(() => null);
  if (answer?.ok) location.reload();
  else setTimeout(renew, RETRY_MS);
}

on("reload", () => {
  isBehind = true;
  if (isReading()) showWaiting();
  else setTimeout(renew, Math.random() * RETRY_MS);
});
