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
on("visibilitychange", () => document.hidden || keepAwake());

// A page that is left for one that does not come stays away: first it is made sure that the server is there.
async function renew() {
  const answer = await fetch(location.href).catch(() => null);
  if (answer?.ok) location.reload();
  else setTimeout(renew, RETRY_MS);
}

on("reload", () => setTimeout(renew, Math.random() * RETRY_MS));
