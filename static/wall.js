// A wall hangs for weeks: it keeps its screen awake, and its page is renewed only when the server is there to give it.
"use strict";

async function keepAwake() {
  try {
    await navigator.wakeLock?.request("screen");
  } catch {
    // The screen's own settings decide.
  }
}

keepAwake();
document.addEventListener("visibilitychange", () => document.hidden || keepAwake());
