// Sound, notice and the count in the tab's title, for those who asked.
"use strict";

const ALERTS = ["sound", "notice"];
const wants = (alert) => localStorage.getItem("alert-" + alert) === "on";
const QUIET_MS = 1_500; // after an outage many come at once

let soundedAt = 0;
let unseen = 0;
let audioContext = null;

const wantsAlerts = () => ALERTS.some(wants);

// Of all tabs that learn of a conversion, one makes the sound. `alerted` is the list of the last ones.
async function isFirst(id) {
  const epoch = new URL(stream().getAttribute("hx-sse:connect"), location.origin).searchParams.get("epoch");
  const name = `alerted ${epoch} ${id}`;
  const isAlone = await new Promise((resolve) => {
    // Held for a while: two tabs learn of it in the same moment, and what one writes the other reads later.
    const hold = (lock) => (resolve(Boolean(lock)), lock && new Promise((done) => setTimeout(done, LEASE_MS)));
    if (navigator.locks) navigator.locks.request(name, { ifAvailable: true }, hold);
    else setTimeout(resolve, 300 * Math.random(), true);
  });
  const alerted = JSON.parse(localStorage.getItem("alerted") ?? "[]");
  if (!isAlone || alerted.includes(name)) return false;
  localStorage.setItem("alerted", JSON.stringify([...alerted, name].slice(-200)));
  return true;
}

on("call:converted", async (event) => {
  if (document.hidden) showUnseen(unseen + 1);
  const body = event.detail.querySelector(".who a").textContent.trim();
  if (!wantsAlerts() || !(await isFirst(event.detail.id)) || Date.now() - soundedAt < QUIET_MS) return;
  soundedAt = Date.now();
  if (wants("sound")) chime();
  if (wants("notice") && document.hidden && Notification.permission === "granted") {
    new Notification("Converted", { body, tag: "callboard" });
  }
});

on("visibilitychange", () => {
  if (!document.hidden) showUnseen(0);
});

function showUnseen(count) {
  unseen = count;
  document.title = (count ? `(${count}) ` : "") + document.title.replace(/^\(\d+\) /, "");
}

function chime() {
  audioContext ??= new AudioContext();
  for (const [after, pitch] of [[0, 660], [0.14, 880]]) {
    const tone = new OscillatorNode(audioContext, { frequency: pitch });
    const start = audioContext.currentTime + after;
    const volume = new GainNode(audioContext, { gain: 0.12 });
    volume.gain.setTargetAtTime(0, start + 0.1, 0.05);
    tone.connect(volume).connect(audioContext.destination);
    tone.start(start);
    tone.stop(start + 0.5);
  }
}

for (const alert of ALERTS) {
  const box = byId("alert-" + alert);
  box.closest("details").hidden = false;
  box.checked = wants(alert);
  box.addEventListener("change", async () => {
    if (box.checked && alert === "notice" && (await window.Notification?.requestPermission()) !== "granted") {
      box.checked = false;
      byId("alerts-problem").hidden = false;
    }
    localStorage.setItem("alert-" + alert, box.checked ? "on" : "off");
    if (box.checked && alert === "sound") chime();
  });
}
