// Looks at the player in a real browser: plays, seeks, loops, switches, and takes screenshots.
//
//   cargo run --example player-page -- SONG [SONG] > page.html     (or any page with players on it)
//   npm install playwright-core
//   CHROMIUM=/usr/bin/chromium node tests/browser/player.mjs page.html [folder for screenshots]
//
// Ends with status 1 at the first thing that is not as it should be. The page is opened from its
// file with the network off.
import { chromium } from "playwright-core";
import { mkdirSync } from "node:fs";
import { resolve } from "node:path";
import assert from "node:assert/strict";

const [page_file, folder = "screenshots"] = process.argv.slice(2);
assert(page_file, "name a page");
mkdirSync(folder, { recursive: true });
const url = "file://" + resolve(page_file);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--autoplay-policy=user-gesture-required"],
});

const complaints = [];
async function open(options = {}) {
  const context = await browser.newContext({ offline: true, viewport: { width: 960, height: 900 }, deviceScaleFactor: 2, ...options });
  const page = await context.newPage();
  page.on("console", (m) => ["error", "warning"].includes(m.type()) && complaints.push(m.text()));
  page.on("pageerror", (e) => complaints.push(String(e)));
  page.on("request", (r) => /^(file|data|blob):/.test(r.url()) || complaints.push("asked the network for " + r.url()));
  page.on("dialog", (d) => { complaints.push("a dialog: " + d.message()); d.dismiss(); });
  await page.goto(url);
  return page;
}
const positions = (player) => player.locator("audio").evaluateAll((all) => all.map((a) => a.currentTime));
const near = (a, b, within, what) => assert(Math.abs(a - b) <= within, `${what}: ${a}, expected ${b} ± ${within}`);
// Where the playhead is drawn and where the sound is, both as fractions and at one moment.
const playhead = (player) => player.locator(".nc-cover").evaluate(async (canvas) => {
  await new Promise(requestAnimationFrame);
  const audio = canvas.closest(".nc-player").querySelector("audio");
  const heard = audio.currentTime / Number(canvas.parentElement.getAttribute("aria-valuemax"));
  const { data, width } = canvas.getContext("2d").getImageData(0, canvas.height >> 1, canvas.width, 1);
  const columns = [...Array(width).keys()].filter((x) => data[4 * x + 3] > 200);
  return [columns.length ? columns.at(-1) / width : -1, heard];
});

const page = await open();
const players = page.locator(".nc-player");
const count = await players.count();
console.log(`${count} players`);
for (let i = 0; i < count; i++) {
  const player = players.nth(i), stage = player.locator(".nc-stage");
  await player.scrollIntoViewIfNeeded();
  const seconds = Number(await stage.getAttribute("aria-valuemax"));
  assert.equal(await player.locator("audio").first().isVisible(), false, "the plain controls are replaced");
  // Play: time goes on, the playhead moves, the level shows.
  await player.getByRole("button", { name: "Play" }).click();
  await page.waitForTimeout(1200);
  const [after] = await positions(player);
  assert(after > 0.6, `plays: after 1.2 s at ${after}`);
  const [drawn, heard] = await playhead(player);
  near(drawn, heard, 0.15 / seconds + 0.005, "the playhead follows");
  assert.match(await player.locator(".nc-level").textContent(), /−?\d+ dB/);
  if (i > 0) {
    const others = await players.locator("audio").evaluateAll((all) => all.filter((a) => !a.paused && !a.closest(".nc-player").contains(document.activeElement)).length);
    assert.equal(others, 0, "other players stopped");
  }
  // A click seeks; a drag seeks on.
  const box = await stage.boundingBox();
  await page.mouse.click(box.x + box.width * 0.5, box.y + 30);
  await page.waitForTimeout(250);
  near((await positions(player))[0], seconds * 0.5, 0.6, "a click seeks");
  await page.mouse.move(box.x + box.width * 0.5, box.y + 30);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.25, box.y + 30, { steps: 5 });
  await page.mouse.up();
  await page.waitForTimeout(200);
  near((await positions(player))[0], seconds * 0.25, 0.6, "a drag seeks");
  // Shift and drag: half a second goes round and round.
  const from = 0.3, to = Math.min(0.95, 0.3 + 0.5 / seconds + 8 / box.width);
  await page.keyboard.down("Shift");
  await page.mouse.move(box.x + box.width * from, box.y + 30);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * to, box.y + 30, { steps: 5 });
  await page.mouse.up();
  await page.keyboard.up("Shift");
  for (let k = 0; k < 8; k++) {
    await page.waitForTimeout(300);
    const [at] = await positions(player);
    assert(at > seconds * from - 0.15 && at < seconds * to + 0.25, `loops within ${seconds * from}–${seconds * to}, at ${at}`);
  }
  await page.screenshot({ path: `${folder}/player-${i}-loop.png`, clip: await padded(player) });
  // Keys.
  await stage.focus();
  await page.keyboard.press("Escape");
  await page.keyboard.press("Space");
  await page.waitForTimeout(150);
  assert(await player.locator("audio").first().evaluate((a) => a.paused), "Space pauses");
  await page.keyboard.press("Home");
  await page.waitForTimeout(150);
  assert.equal((await positions(player))[0], 0, "Home goes to the start");
  await page.keyboard.press("ArrowRight");
  await page.waitForTimeout(150);
  near((await positions(player))[0], Math.min(5, seconds), 0.01, "an arrow moves by five seconds");
  // The spectrogram, and switching where there are several pieces.
  await player.getByRole("button", { name: /Spectrogram/ }).click();
  assert(await player.locator(".nc-area img").first().evaluate((i) => i.decode().then(() => i.naturalWidth > 100)), "spectrogram");
  const tabs = player.getByRole("radio");
  if (await tabs.count()) {
    await player.getByRole("button", { name: "Play" }).click();
    await page.waitForTimeout(700);
    // Both start within a few milliseconds; on a busy machine the one not heard may need to catch up.
    const apart = () => positions(player).then(([a, b]) => Math.abs(a - b));
    for (let k = 0; k < 20 && (await apart()) > 0.05; k++) await page.waitForTimeout(250);
    await tabs.nth(1).click();
    await page.waitForTimeout(300);
    const state = await player.locator("audio").evaluateAll((all) => all.map((a) => [a.currentTime, a.muted, a.paused]));
    near(state[0][0], state[1][0], 0.06, "the same position in A and B");
    assert.deepEqual(state.map((s) => s[1]), state.map((_, k) => k !== 1), "only B is heard");
    assert(!state[1][2], "B plays");
    await page.keyboard.press("a");
    assert.equal(await tabs.nth(0).getAttribute("aria-checked"), "true", "the key A switches back");
    // What runs out first does not stop the other.
    const ends = await player.locator("audio").evaluateAll((all) => all.map((a) => a.duration));
    const shorter = ends.indexOf(Math.min(...ends));
    if (Math.max(...ends) - ends[shorter] > 2) {
      await tabs.nth(shorter).click();
      await page.mouse.click(box.x + (box.width * (ends[shorter] - 0.3)) / seconds, box.y + 60);
      await page.waitForTimeout(1500);
      const now = Number(await stage.getAttribute("aria-valuenow"));
      assert(now > ends[shorter] + 0.3, `the longer piece goes on after ${ends[shorter]}, now ${now}`);
    }
    await page.keyboard.press("Space");
  }
  await page.mouse.move(0, 0);
  await page.screenshot({ path: `${folder}/player-${i}-light.png`, clip: await padded(player) });
  // To the end and stop.
  await stage.focus();
  await page.keyboard.press("End");
  await page.keyboard.press("ArrowLeft");
  await page.waitForTimeout(100);
  assert.equal(await page.evaluate(() => document.querySelectorAll("img[src=x]").length), 0, "titles are text");
}
async function padded(player) {
  const box = await player.boundingBox();
  return { x: Math.max(0, box.x - 10), y: Math.max(0, box.y - 10), width: box.width + 20, height: box.height + 20 };
}

// Dark, narrow, and with scripts off.
const dark = await open({ colorScheme: "dark" });
await dark.screenshot({ path: `${folder}/dark.png`, fullPage: true });
const lab = await open();
await lab.evaluate(() => {
  document.body.dataset.jpThemeLight = "false";
  const theme = { "layout-color0": "#111", "layout-color1": "#212121", "ui-font-color1": "rgba(255,255,255,.87)", "ui-font-color2": "rgba(255,255,255,.54)", "border-color2": "#616161" };
  for (const [name, value] of Object.entries(theme)) document.body.style.setProperty("--jp-" + name, value);
  document.body.style.background = "#111";
});
await lab.waitForTimeout(300);
await lab.screenshot({ path: `${folder}/lab-dark.png`, fullPage: true });
const narrow = await open({ viewport: { width: 420, height: 800 } });
await narrow.screenshot({ path: `${folder}/narrow.png`, fullPage: true });
const still = await open({ javaScriptEnabled: false });
assert(await still.locator("audio").first().isVisible(), "a plain player without scripts");
assert(await still.locator(".nc-still").first().isVisible(), "a picture without scripts");
await still.screenshot({ path: `${folder}/no-scripts.png`, fullPage: true });

await browser.close();
assert.deepEqual(complaints, [], "nothing in the console");
console.log("all as it should be");
