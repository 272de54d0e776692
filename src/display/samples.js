(() => {
  "use strict";
  // A redrawn display brings new audio elements. One that is in use takes the place of its successor.
  const used = (window.neuralComposerSamples ??= new Map());
  for (const place of document.querySelectorAll(".nc-samples [data-key]")) {
    const key = place.dataset.key, now = place.querySelector("audio"), before = used.get(key);
    if (!now || now === before) continue;
    if (before && (before.goesOn || before.currentTime > 0)) {
      const goesOn = before.goesOn;
      now.replaceWith(before);
      if (goesOn) before.play().catch(() => {});
      continue;
    }
    used.set(key, now);
    now.addEventListener("play", () => { now.goesOn = true; });
    // Taken out of the page it pauses, too, but nobody asked for that.
    now.addEventListener("pause", () => { if (now.isConnected) now.goesOn = false; });
  }
  for (const [key, audio] of used) if (!audio.isConnected && !audio.goesOn) used.delete(key);
})();
