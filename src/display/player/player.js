(() => {
  "use strict";
  const VERSION = 1, root = document;
  // The same script comes with every player; one copy serves them all.
  const shared = (window.neuralComposerPlayers ??= { version: 0 });
  if (shared.version >= VERSION) return shared.start();
  shared.version = VERSION;

  const make = (tag, attributes = {}, ...children) => {
    const element = root.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
  const clock = (seconds, digits = 1) => {
    const factor = 10 ** digits, all = Math.round(Math.max(0, seconds) * factor) / factor;
    const minutes = Math.floor(all / 60), rest = (all - 60 * minutes).toFixed(digits);
    return minutes + ":" + rest.padStart(digits ? 3 + digits : 2, "0");
  };
  const ICONS = {
    play: "M4 2.5v11l9.5-5.5z",
    pause: "M3.5 2.5h3.2v11H3.5zm5.8 0h3.2v11H9.3z",
    loop: "M4 5h7V3l3 3-3 3V7H5v2H3V6a1 1 0 0 1 1-1zm8 6H5v2l-3-3 3-3v2h6V7h2v3a1 1 0 0 1-1 1z",
    save: "M7 2h2v6h3l-4 4-4-4h3zM3 13h10v1.5H3z",
    bars: "M2 9h2v5H2zm3.3-5h2v10h-2zm3.4 3h2v7h-2zM12 2h2v12h-2z",
    loud: "M2 6h3l4-3v10L5 10H2zm9-1.5c2 1 2 6 0 7v-1.3c1-.8 1-3.6 0-4.4z",
    match: "M2 4.5h12V6H2zm0 5.5h12v1.5H2z",
  };
  const icon = (name) => {
    const svg = root.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "0 0 16 16");
    svg.setAttribute("aria-hidden", "true");
    const path = root.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", ICONS[name]);
    svg.append(path);
    return svg;
  };
  const button = (name, label) => {
    const element = make("button", { type: "button", "aria-label": label, title: label }, icon(name));
    element.swap = (next, text) => {
      element.replaceChildren(icon(next));
      element.setAttribute("aria-label", text);
      element.title = text;
    };
    return element;
  };

  // A decoded sound as a WAV file in memory. Browsers seek in PCM at once and exactly; Chromium can
  // hang on a seek to the last tenths of a FLAC file.
  const wave = (sound) => {
    const channels = sound.numberOfChannels, frames = sound.length, size = 2 * channels * frames;
    const view = new DataView(new ArrayBuffer(44 + size));
    const text = (at, word) => [...word].forEach((c, i) => view.setUint8(at + i, c.charCodeAt(0)));
    text(0, "RIFF"); view.setUint32(4, 36 + size, true); text(8, "WAVEfmt ");
    view.setUint32(16, 16, true); view.setUint16(20, 1, true); view.setUint16(22, channels, true);
    view.setUint32(24, sound.sampleRate, true); view.setUint32(28, 2 * channels * sound.sampleRate, true);
    view.setUint16(32, 2 * channels, true); view.setUint16(34, 16, true);
    text(36, "data"); view.setUint32(40, size, true);
    const samples = new Int16Array(view.buffer, 44);
    for (let c = 0; c < channels; c++) {
      const data = sound.getChannelData(c);
      for (let i = 0; i < frames; i++) samples[i * channels + c] = clamp(Math.round(data[i] * 32768), -32768, 32767);
    }
    return URL.createObjectURL(new Blob([view], { type: "audio/wav" }));
  };

  class Track {
    constructor(element) {
      const data = element.dataset;
      this.title = data.title;
      this.seconds = Number(data.seconds);
      this.peak = Number(data.peak);
      this.loudness = Number(data.loudness);
      this.topHz = Number(data.topHz);
      this.channels = Number(data.channels);
      this.peaks = new Int8Array(bytes(data.peaks).buffer);
      this.levels = bytes(data.levels);
      this.columns = this.levels.length;
      this.audio = element.querySelector("audio");
      this.audio.controls = false;
      this.audio.hidden = true;
      this.source = this.audio.src;
      this.rate = Number(data.rate);
      this.file = data.file;
      this.spectrogram = data.spectrogram;
    }
    // Decodes the sound, once. What cannot be decoded is left to the audio element itself.
    prepare() {
      return (this.prepared ??= (async () => {
        try {
          const file = bytes(this.source.slice(this.source.indexOf(",") + 1)).buffer;
          const sound = await new OfflineAudioContext(1, 1, this.rate).decodeAudioData(file);
          this.audio.src = wave(sound);
          await new Promise((resolve, reject) => {
            this.audio.addEventListener("loadedmetadata", resolve, { once: true });
            this.audio.addEventListener("error", reject, { once: true });
          });
        } catch {
          this.audio.src = this.source;
        }
        this.ready = true;
      })());
    }
    // Decibels below full scale around a time.
    level(time) {
      const column = clamp(Math.floor((time / this.seconds) * this.columns), 0, this.columns - 1);
      return -this.levels[column] / 2;
    }
    get length() {
      return Number.isFinite(this.audio.duration) ? this.audio.duration : this.seconds;
    }
  }

  class Player {
    constructor(element) {
      this.element = element;
      this.tracks = [...element.querySelectorAll(".nc-track")].map((t) => new Track(t));
      this.current = 0;
      this.seconds = Math.max(...this.tracks.map((t) => t.seconds), 1e-3);
      this.loop = false;
      this.selection = null;
      this.position = 0;
      this.volume = 1;
      this.matched = false;
      this.shown = false;
      this.build();
      this.listen();
      this.applyVolume();
      this.draw();
      this.refresh();
    }
    get track() { return this.tracks[this.current]; }
    get playing() { return !this.leader.paused && !this.leader.ended; }
    // The audio element that keeps the time: the one heard, or, once that has ended, the longest.
    get leader() {
      const heard = this.track.audio;
      if (!heard.ended && this.position < this.track.length) return heard;
      return this.tracks.reduce((a, b) => (b.length > a.length ? b : a)).audio;
    }

    build() {
      const several = this.tracks.length > 1;
      this.playButton = button("play", "Play");
      this.time = make("output", { class: "nc-time", "aria-live": "off" });
      this.meter = make("span", { class: "nc-meter", "aria-hidden": "true" }, make("i"));
      this.level = make("output", { class: "nc-level", "aria-label": "Level", "aria-live": "off" });
      this.loopButton = button("loop", "Loop (L)");
      this.spectrogramButton = button("bars", "Spectrogram (S)");
      this.loopButton.setAttribute("aria-pressed", "false");
      this.spectrogramButton.setAttribute("aria-pressed", "false");
      this.volumeInput = make("input", { type: "range", min: "0", max: "100", value: "100", "aria-label": "Volume", title: "Volume" });
      this.save = make("a", { class: "nc-button", "aria-label": "Download", title: "Download" }, icon("save"));
      const bar = make("div", { class: "nc-bar" }, this.playButton, this.time, this.meter, this.level,
        make("span", { class: "nc-space" }), this.loopButton, this.spectrogramButton);
      if (several) {
        this.matchButton = button("match", "Match loudness (M)");
        this.matchButton.setAttribute("aria-pressed", "false");
        bar.append(this.matchButton);
      }
      bar.append(make("label", { class: "nc-volume" }, icon("loud"), this.volumeInput), this.save);
      this.stage = make("div", { class: "nc-stage", tabindex: "0", role: "slider", "aria-label": "Position",
        "aria-valuemin": "0", "aria-valuemax": this.seconds.toFixed(1), "aria-orientation": "horizontal" });
      this.base = make("canvas", { "aria-hidden": "true" });
      this.cover = make("canvas", { "aria-hidden": "true", class: "nc-cover" });
      this.stage.append(this.base, this.cover);
      this.panels = make("div", { class: "nc-panels" + (several ? " nc-several" : ""), hidden: "" });
      const hint = make("p", { class: "nc-hint" },
        "drag: seek · shift + drag: loop a part · space: play · arrows, home, end: move" + (several ? " · A, B …: switch" : ""));
      this.element.append(bar);
      if (several) this.element.append(this.buildTabs());
      const notes = this.element.querySelectorAll(".nc-note");
      this.element.append(this.stage, this.panels, hint, ...notes);
      this.element.classList.add("nc-ready");
    }

    buildTabs() {
      this.tabs = this.tracks.map((track, index) => {
        const letter = String.fromCharCode(65 + index);
        const name = make("bdi");
        name.textContent = track.title;
        const tab = make("button", { type: "button", role: "radio", "aria-checked": String(index === 0) }, make("b", {}, letter), " ", name);
        tab.style.setProperty("--nc-own", `var(--nc-series-${index % 6})`);
        tab.addEventListener("click", () => this.switchTo(index));
        return tab;
      });
      return make("div", { class: "nc-tabs", role: "radiogroup", "aria-label": "Which piece is heard" }, ...this.tabs);
    }

    listen() {
      this.playButton.addEventListener("click", () => this.toggle());
      this.loopButton.addEventListener("click", () => this.setLoop(!this.loop));
      this.spectrogramButton.addEventListener("click", () => this.toggleSpectrogram());
      this.matchButton?.addEventListener("click", () => this.toggleMatch());
      this.volumeInput.addEventListener("input", () => {
        this.volume = Number(this.volumeInput.value) / 100;
        this.applyVolume();
      });
      this.save.addEventListener("click", () => {
        this.save.href = this.track.source;
        this.save.download = this.track.file;
      });
      // A little before it is wanted, so that play starts at once.
      for (const sign of ["pointerenter", "focusin"]) {
        this.element.addEventListener(sign, () => this.tracks.forEach((t) => t.prepare()), { once: true });
      }
      this.element.addEventListener("keydown", (event) => this.key(event));
      this.stage.addEventListener("pointerdown", (event) => this.grab(event));
      this.stage.addEventListener("pointermove", (event) => this.hover(event));
      this.stage.addEventListener("pointerleave", () => { this.pointer = null; this.drawCover(); });
      for (const track of this.tracks) {
        track.audio.addEventListener("timeupdate", () => this.tick());
        track.audio.addEventListener("ended", () => this.ended());
        track.audio.addEventListener("pause", () => this.refresh());
        track.audio.addEventListener("play", () => this.refresh());
        track.audio.addEventListener("error", () => track.ready && this.fail());
      }
      root.addEventListener("nc-player-starts", (event) => {
        if (event.detail !== this.element) this.pause();
      });
      new ResizeObserver(() => this.draw()).observe(this.stage);
      const redraw = () => requestAnimationFrame(() => this.draw());
      matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
      new MutationObserver(redraw).observe(root.body, { attributes: true });
    }

    key(event) {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.target === this.volumeInput && event.key !== " ") return;
      const own = event.target.closest("button, a");
      const step = event.shiftKey ? 0.1 : 5;
      const letter = event.key.length === 1 ? event.key.toLowerCase() : "";
      const number = letter >= "a" && letter <= "h" ? letter.charCodeAt(0) - 97 : Number(letter || NaN) - 1;
      const several = this.tracks.length > 1;
      // On the tab of what is heard already it has nothing to choose.
      if (event.key === " ") { if (own && own.ariaChecked !== "true") return; this.toggle(); }
      else if (event.key === "ArrowRight") this.seek(this.position + step);
      else if (event.key === "ArrowLeft") this.seek(this.position - step);
      else if (event.key === "ArrowUp") this.setVolume(this.volume + 0.05);
      else if (event.key === "ArrowDown") this.setVolume(this.volume - 0.05);
      else if (event.key === "PageUp") this.seek(this.position + this.seconds / 10);
      else if (event.key === "PageDown") this.seek(this.position - this.seconds / 10);
      else if (event.key === "Home") this.seek(0);
      else if (event.key === "End") this.seek(this.seconds);
      else if (event.key === "[") this.select(this.position, Math.max(this.selection?.end ?? this.seconds, this.position + 0.05));
      else if (event.key === "]") this.select(Math.min(this.selection?.start ?? 0, this.position - 0.05), this.position);
      else if (event.key === "Escape") { this.selection = null; this.setLoop(false); }
      else if (letter === "l") this.setLoop(!this.loop);
      else if (letter === "s") this.toggleSpectrogram();
      else if (letter === "m" && several) this.toggleMatch();
      else if (several && number >= 0 && number < this.tracks.length) this.switchTo(number);
      else return;
      event.preventDefault();
      event.stopPropagation();
    }

    timeAt(event, area = this.stage) {
      const box = area.getBoundingClientRect();
      return clamp((event.clientX - box.left) / box.width, 0, 1) * this.seconds;
    }

    grab(event, area = this.stage) {
      if (event.button !== 0) return;
      this.stage.focus({ preventScroll: true });
      const start = this.timeAt(event, area), selecting = event.shiftKey;
      area.setPointerCapture(event.pointerId);
      let moved = false;
      const move = (next) => {
        if (next.pointerId !== event.pointerId) return;
        const at = this.timeAt(next, area);
        moved ||= Math.abs(next.clientX - event.clientX) > 3;
        if (!selecting) this.seek(at);
        else if (moved) this.select(Math.min(start, at), Math.max(start, at));
      };
      const end = (next) => {
        move(next);
        for (const [name, handler] of handlers) area.removeEventListener(name, handler);
        if (selecting && moved && this.selection) this.seek(this.selection.start);
      };
      const handlers = [["pointermove", move], ["pointerup", end], ["pointercancel", end]];
      for (const [name, handler] of handlers) area.addEventListener(name, handler);
      if (!selecting) this.seek(start);
      event.preventDefault();
    }

    hover(event) {
      this.pointer = this.timeAt(event);
      this.drawCover();
    }

    toggle() { this.playing ? this.pause() : this.play(); }

    async play() {
      root.dispatchEvent(new CustomEvent("nc-player-starts", { detail: this.element }));
      const region = this.region;
      if (this.position >= region.end - 0.02 || this.position < region.start - 0.02) this.seek(region.start);
      this.wanted = true;
      await Promise.all(this.tracks.map((t) => t.prepare()));
      if (!this.wanted) return;
      this.align();
      const started = this.tracks
        .filter((t) => this.position < t.length)
        .map((t) => t.audio.play());
      Promise.all(started).catch((error) => { if (error.name !== "AbortError") this.fail(error); });
      this.animate();
    }

    pause() {
      this.wanted = false;
      for (const track of this.tracks) track.audio.pause();
      this.refresh();
    }

    get region() {
      return (this.loop && this.selection) || { start: 0, end: this.seconds };
    }

    seek(time) {
      this.position = clamp(time, 0, this.seconds);
      this.align();
      if (this.wasPlaying) this.wake();
      this.refresh();
    }

    // Puts every audio element to the position.
    align() {
      for (const { audio, length, ready } of this.tracks) {
        if (!ready) continue;
        const wanted = Math.min(this.position, length);
        audio.playbackRate = 1;
        if (Math.abs(audio.currentTime - wanted) > 0.005) audio.currentTime = wanted;
      }
    }

    // Pieces that are not heard catch up with the one that is, by running a little faster or slower:
    // no seek, so that a switch finds them ready.
    follow() {
      const leader = this.leader;
      for (const { audio } of this.tracks) {
        if (audio === leader || audio.paused || audio.seeking) continue;
        const behind = leader.currentTime - audio.currentTime;
        if (Math.abs(behind) > 2) audio.currentTime = leader.currentTime;
        const rate = Math.abs(behind) < 0.012 ? 1 : clamp(1 + 2 * behind, 0.5, 3);
        if (Math.abs(audio.playbackRate - rate) > 0.02 || rate === 1) audio.playbackRate = rate;
      }
    }

    // After a seek backwards, elements that had ended have to start again.
    wake() {
      for (const track of this.tracks) {
        if (track.audio.paused && this.position < track.length) track.audio.play().catch(() => {});
      }
    }

    select(start, end) {
      this.selection = { start: clamp(start, 0, this.seconds), end: clamp(end, 0, this.seconds) };
      this.setLoop(true);
    }

    setLoop(on) {
      this.loop = on;
      this.loopButton.setAttribute("aria-pressed", String(on));
      this.refresh();
    }

    setVolume(volume) {
      this.volume = clamp(volume, 0, 1);
      this.volumeInput.value = String(Math.round(this.volume * 100));
      this.applyVolume();
    }

    applyVolume() {
      const quietest = Math.min(...this.tracks.map((t) => t.loudness));
      this.tracks.forEach((track, index) => {
        const gain = this.matched ? 10 ** ((quietest - track.loudness) / 20) : 1;
        track.audio.volume = clamp(this.volume * gain, 0, 1);
        track.audio.muted = index !== this.current;
      });
    }

    toggleMatch() {
      this.matched = !this.matched;
      this.matchButton.setAttribute("aria-pressed", String(this.matched));
      this.applyVolume();
    }

    // All pieces run side by side and only one is heard, so switching costs nothing.
    switchTo(index) {
      this.position = this.playing ? this.leader.currentTime : this.position;
      this.current = index;
      this.tabs.forEach((tab, i) => tab.setAttribute("aria-checked", String(i === index)));
      if (this.tabs.some((tab) => tab.matches(":focus"))) this.tabs[index].focus();
      const heard = this.track.audio;
      heard.playbackRate = 1;
      if (this.wasPlaying && Math.abs(heard.currentTime - this.position) > 0.1 && this.position < this.track.length) heard.currentTime = this.position;
      if (this.wasPlaying) this.wake();
      this.applyVolume();
      this.draw();
    }

    toggleSpectrogram() {
      this.shown = !this.shown;
      this.spectrogramButton.setAttribute("aria-pressed", String(this.shown));
      this.panels.hidden = !this.shown;
      if (this.shown && !this.panels.children.length) this.tracks.forEach((track, index) => this.addPanel(track, index));
      this.refresh();
    }

    addPanel(track, index) {
      const picture = make("img", { alt: `Spectrogram, 0 to ${Math.round(track.topHz)} Hz`, draggable: "false" });
      picture.src = "data:image/png;base64," + track.spectrogram;
      const line = make("i", { class: "nc-line" });
      const area = make("div", { class: "nc-area" }, picture, line);
      const warp = (hz) => Math.log1p(hz / 700) / Math.log1p(track.topHz / 700);
      for (const hz of [200, 1000, 2000, 5000, 10000, 20000]) {
        if (warp(hz) > 0.96) continue;
        const tick = make("span", {}, hz >= 1000 ? hz / 1000 + " kHz" : hz + " Hz");
        tick.style.bottom = 100 * warp(hz) + "%";
        area.append(tick);
      }
      picture.style.width = (100 * track.seconds) / this.seconds + "%";
      area.addEventListener("pointerdown", (event) => {
        if (this.tracks.length > 1 && index !== this.current) this.switchTo(index);
        this.grab(event, area);
      });
      const name = make("figcaption");
      if (this.tracks.length > 1) {
        const title = make("bdi");
        title.textContent = track.title;
        name.append(make("b", {}, String.fromCharCode(65 + index)), " ", title);
      }
      this.panels.append(make("figure", {}, name, area));
    }

    ended() {
      if (this.tracks.every((t) => t.audio.paused || t.audio.ended)) {
        if (this.loop) { this.seek(this.region.start); this.play(); } else { this.position = this.seconds; this.refresh(); }
      }
    }

    fail(error) {
      this.time.textContent = "this browser cannot play the preview" + (error ? ` (${error.name})` : "");
      this.failed = true;
    }

    animate() {
      if (this.frame) return;
      const step = () => {
        this.frame = null;
        if (this.playing) this.tick(); // which asks for the next frame
        else this.refresh();
      };
      this.frame = requestAnimationFrame(step);
    }

    tick() {
      if (!this.playing) return;
      this.position = Math.min(this.leader.currentTime, this.seconds);
      const { start, end } = this.region;
      if (this.loop && this.position >= end - 0.005) {
        this.position = start;
        this.align();
        this.wake();
      } else if (this.tracks.length > 1) this.follow();
      this.refresh();
    }

    refresh() {
      const playing = (this.wasPlaying = this.playing);
      if (this.shownPlaying !== playing) {
        this.shownPlaying = playing;
        playing ? this.playButton.swap("pause", "Pause") : this.playButton.swap("play", "Play");
      }
      if (!this.failed) this.time.textContent = `${clock(this.position)} / ${clock(this.seconds)}`;
      const level = playing ? this.track.level(this.position) + 20 * Math.log10(Math.max(1e-4, this.track.audio.volume)) : -Infinity;
      this.meter.firstChild.style.clipPath = `inset(0 ${100 * clamp(-level / 60, 0, 1)}% 0 0)`;
      this.level.textContent = level > -70 ? `${Math.round(level)} dB`.replace("-", "−") : "–∞ dB";
      this.stage.setAttribute("aria-valuenow", this.position.toFixed(1));
      this.stage.setAttribute("aria-valuetext", `${this.position.toFixed(1)} of ${this.seconds.toFixed(1)} seconds`);
      for (const line of this.panels.querySelectorAll(".nc-line")) line.style.left = (100 * this.position) / this.seconds + "%";
      this.drawCover();
      if (playing) this.animate();
    }

    colors() {
      const style = getComputedStyle(this.element);
      const color = (name) => style.getPropertyValue(name).trim();
      return { ink: color("--nc-ink"), muted: color("--nc-muted"), line: color("--nc-line"), accent: color("--nc-accent"), peak: color("--nc-peak"), warm: color("--nc-warm"), font: style.fontFamily, series: [0, 1, 2, 3, 4, 5].map((i) => color(`--nc-series-${i}`)) };
    }

    prepare(canvas) {
      const scale = window.devicePixelRatio || 1;
      const width = this.stage.clientWidth, height = this.stage.clientHeight;
      if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
        canvas.width = Math.round(width * scale);
        canvas.height = Math.round(height * scale);
      }
      const pen = canvas.getContext("2d");
      pen.setTransform(scale, 0, 0, scale, 0, 0);
      pen.clearRect(0, 0, width, height);
      return { pen, width, height };
    }

    draw() {
      const lanes = this.tracks.length > 1 ? this.tracks.length : this.tracks[0].channels;
      const laneHeight = lanes === 1 ? 104 : lanes === 2 ? 64 : 52;
      this.stage.style.height = lanes * laneHeight + 20 + "px";
      const { pen, width, height } = this.prepare(this.base);
      if (!width) return;
      const colors = (this.palette = this.colors());
      this.drawTimes(pen, width, height, colors);
      let top = 0;
      this.tracks.forEach((track, index) => {
        const several = this.tracks.length > 1;
        const channels = several ? 1 : track.channels;
        for (let channel = 0; channel < channels; channel++) {
          const tone = several ? colors.series[index % 6] : colors.accent;
          pen.globalAlpha = several && index !== this.current ? 0.45 : 1;
          this.drawLane(pen, track, several ? -1 : channel, top, laneHeight, width, tone);
          pen.globalAlpha = 1;
          top += laneHeight;
          if (top < lanes * laneHeight) { pen.fillStyle = colors.line; pen.fillRect(0, top - 0.5, width, 1); }
        }
      });
      this.drawCover();
    }

    drawLane(pen, track, channel, top, laneHeight, width, tone) {
      const middle = top + laneHeight / 2, own = (width * track.seconds) / this.seconds;
      const half = (laneHeight / 2 - 4) / Math.max(this.tracks.length > 1 ? Math.max(...this.tracks.map((t) => t.peak)) : track.peak, 0.02);
      const { columns, channels, peaks } = track;
      const extreme = (column, which) => {
        let value = which ? -128 : 127;
        for (let c = channel < 0 ? 0 : channel; c < (channel < 0 ? channels : channel + 1); c++) {
          const v = peaks[2 * (c * columns + column) + which];
          value = which ? Math.max(value, v) : Math.min(value, v);
        }
        return (value / 127) * track.peak;
      };
      const band = (low, high) => {
        pen.beginPath();
        for (let i = 0; i < columns; i++) pen.lineTo(((i + 0.5) / columns) * own, Math.min(middle - high(i) * half, middle - 0.5));
        for (let i = columns - 1; i >= 0; i--) pen.lineTo(((i + 0.5) / columns) * own, Math.max(middle - low(i) * half, middle + 0.5));
        pen.closePath();
        pen.fill();
      };
      pen.fillStyle = tone;
      const alpha = pen.globalAlpha;
      pen.globalAlpha = alpha * 0.45;
      band((i) => extreme(i, 0), (i) => extreme(i, 1));
      pen.globalAlpha = alpha;
      const rms = (i) => 10 ** (-track.levels[i] / 40);
      band((i) => Math.max(-rms(i), extreme(i, 0)), (i) => Math.min(rms(i), extreme(i, 1)));
    }

    drawTimes(pen, width, height, colors) {
      const wanted = (this.seconds / width) * 90;
      const steps = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];
      const step = steps.find((s) => s >= wanted) ?? 7200;
      const digits = step < 1 ? Math.ceil(-Math.log10(step)) : 0;
      pen.font = `11px ${colors.font}`;
      pen.textBaseline = "bottom";
      for (let k = 0; k * step <= this.seconds * 1.0001; k++) {
        const x = ((k * step) / this.seconds) * width;
        pen.fillStyle = colors.line;
        pen.fillRect(Math.min(x, width - 1), 0, 1, height - 16);
        pen.fillStyle = colors.muted;
        const label = this.seconds < 60 ? (k * step).toFixed(digits) + " s" : clock(k * step, digits);
        const room = pen.measureText(label).width;
        if (x + room <= width || k === 0) { pen.textAlign = "left"; pen.fillText(label, x + 3 * (k > 0), height); }
      }
    }

    drawCover() {
      const { pen, width, height } = this.prepare(this.cover);
      if (!width) return;
      const colors = (this.palette ??= this.colors());
      const bottom = height - 18, x = (time) => (time / this.seconds) * width;
      pen.fillStyle = colors.accent;
      pen.globalAlpha = 0.09;
      pen.fillRect(0, 0, x(this.position), bottom);
      if (this.selection) {
        const from = x(this.selection.start), to = x(this.selection.end);
        pen.fillStyle = colors.warm;
        pen.globalAlpha = this.loop ? 0.18 : 0.08;
        pen.fillRect(from, 0, to - from, bottom);
        pen.globalAlpha = this.loop ? 1 : 0.4;
        pen.fillRect(from, 0, 1.5, bottom);
        pen.fillRect(to - 1.5, 0, 1.5, bottom);
      }
      pen.globalAlpha = 1;
      if (this.pointer != null) {
        pen.fillStyle = colors.muted;
        pen.globalAlpha = 0.6;
        pen.fillRect(x(this.pointer) - 0.5, 0, 1, bottom);
        pen.globalAlpha = 1;
        const label = clock(this.pointer, 2), left = x(this.pointer) > width - 60;
        pen.font = `11px ${colors.font}`;
        pen.textBaseline = "top";
        pen.textAlign = left ? "right" : "left";
        pen.fillStyle = colors.ink;
        pen.fillText(label, x(this.pointer) + (left ? -5 : 5), 2);
      }
      pen.fillStyle = colors.warm;
      const head = clamp(x(this.position), 1, width - 1);
      pen.fillRect(head - 1, 0, 2, bottom);
      pen.beginPath();
      pen.moveTo(head - 5, 0);
      pen.lineTo(head + 5, 0);
      pen.lineTo(head, 7);
      pen.fill();
    }
  }

  shared.start = () => {
    for (const element of root.querySelectorAll(".nc-player:not([data-started])")) {
      element.dataset.started = "";
      try {
        element.ncPlayer = new Player(element);
      } catch (error) {
        // The plain audio element and the picture stay.
        console.warn("neural-composer player:", error);
      }
    }
  };
  if (root.readyState === "loading") root.addEventListener("DOMContentLoaded", shared.start);
  shared.start();
})();
