(() => {
  "use strict";
  // A redrawn display brings new audio elements. One that is in use takes the place of its successor.
  const used = (window.neuralComposerSamples ??= new Map());
  if (!used.touched) {
    used.touched = -Infinity;
    const touch = () => { used.touched = performance.now(); };
    for (const kind of ["pointerdown", "keydown"]) window.addEventListener(kind, touch, true);
  }
  for (const place of document.querySelectorAll(".nc-samples [data-key]")) {
    const key = place.dataset.key, now = place.querySelector("audio"), before = used.get(key);
    if (!now || now === before) continue;
    if (before && (before.goesOn || before.currentTime > 0)) {
      const goesOn = before.goesOn || !now.paused;
      now.replaceWith(before);
      if (goesOn) before.play().catch(() => {});
      continue;
    }
    used.set(key, now);
    // It may have been started before this script ran.
    now.goesOn = !now.paused;
    now.addEventListener("play", () => { now.goesOn = true; });
    // Taken out of the page it pauses, too, but nobody asked for that; the event may come when it is
    // back already. Who asks has touched something a moment before.
    now.addEventListener("pause", () => {
      const asked = performance.now() - used.touched < 1000;
      if (now.ended || (now.isConnected && asked)) now.goesOn = false;
      else if (now.isConnected && now.goesOn) now.play().catch(() => {});
    });
  }
  for (const [key, audio] of used) if (!audio.isConnected && !audio.goesOn) used.delete(key);
})();
