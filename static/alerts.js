// Sound, notice and the count in the tab's title, for those who asked.
"use strict";

const ALERTS = ["sound", "notice"];
const wants = (alert) => localStorage.getItem("alert-" + alert) === "on";
const QUIET_MS = 1_500; // after an outage many come at once

let soundedAt = 0;
let unseen = 0;
let audioContext = null;

// A tab that asked to be told keeps its stream while hidden.
function keepStream() {
  htmx.config.sse.pauseOnBackground = !ALERTS.some(wants);
}

keepStream();

on("call:converted", (event) => {
  if (document.hidden) showUnseen(unseen + 1);
  if (Date.now() - soundedAt < QUIET_MS) return;
  soundedAt = Date.now();
  if (wants("sound")) chime();
  if (wants("notice") && document.hidden && Notification.permission === "granted") {
    const name = event.detail.querySelector(".who a").textContent.trim();
    new Notification("Converted", { body: name, tag: "callboard" });
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
    keepStream();
    redraw();
  });
}
