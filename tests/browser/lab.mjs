// JupyterLab in a real browser: opens notebook 01, runs all of it, sees the training chart change,
// presses stop, sees the partial result, runs the next cell.
//
//   ./lab --prepare
//   npm install playwright-core
//   CHROMIUM=/usr/bin/chromium node tests/browser/lab.mjs [folder for screenshots]
//
// Ends with status 1 at the first thing that is not as it should be. It works on a copy of the
// notebook with many epochs, so that there is time to press stop, and with settings of its own.
import { chromium } from "playwright-core";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import assert from "node:assert/strict";

const [folder = "screenshots"] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const name = "browser-test.ipynb", copy = join(root, "notebooks", name);
const own = mkdtempSync(join(tmpdir(), "lab-browser-"));
const port = 8900 + (process.pid % 90), token = "browser-test";

// All cells stay on the page, seen or not.
mkdirSync(join(own, "settings/@jupyterlab/notebook-extension"), { recursive: true });
writeFileSync(
  join(own, "settings/@jupyterlab/notebook-extension/tracker.jupyterlab-settings"),
  '{ "windowingMode": "none" }',
);
const notebook = JSON.parse(readFileSync(join(root, "notebooks/01-course-workflow.ipynb"), "utf8"));
const training_source = /RECIPE\.training\(&data\)/;
let patched = 0;
for (const cell of notebook.cells) {
  if (cell.cell_type !== "code") continue;
  Object.assign(cell, { outputs: [], execution_count: null });
  const source = [].concat(cell.source).join("");
  if (training_source.test(source)) {
    cell.source = source.replace(training_source, "Training { epochs: 100_000, ..RECIPE.training(&data) }");
    patched += 1;
  }
}
assert.equal(patched, 1, "one cell trains");
writeFileSync(copy, JSON.stringify(notebook, null, 1));

const server = spawn(
  join(root, "lab"),
  ["--no-browser", `--port=${port}`, "--ServerApp.port_retries=0", `--IdentityProvider.token=${token}`],
  {
    env: { ...process.env, JUPYTERLAB_SETTINGS_DIR: join(own, "settings"), JUPYTERLAB_WORKSPACES_DIR: join(own, "workspaces") },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  },
);
let log = "";
for (const stream of [server.stdout, server.stderr]) stream.on("data", (data) => (log += data));
process.on("exit", () => {
  try { process.kill(-server.pid, "SIGTERM"); } catch { /* it has ended */ }
  rmSync(copy, { force: true });
  rmSync(own, { recursive: true, force: true });
});
const sleep = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));
async function until(what, seconds, probe) {
  for (const deadline = Date.now() + seconds * 1000; Date.now() < deadline; await sleep(0.1)) {
    const found = await probe();
    if (found) return found;
  }
  await page?.screenshot({ path: join(folder, "failed.png") });
  assert.fail(`not within ${seconds} s: ${what}\n${log.slice(-1500)}`);
}
let page;
await until("the server listens", 1800, () =>
  fetch(`http://localhost:${port}/api?token=${token}`).then((answer) => answer.ok, () => false));

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox"],
});
page = await browser.newPage({ viewport: { width: 1360, height: 1000 } });
await page.goto(`http://localhost:${port}/lab/tree/notebooks/${name}?token=${token}`);
const cells = page.locator(".jp-Notebook .jp-CodeCell");
await until("the notebook is open", 120, async () => (await cells.count()) > 10);
await until("our kernel is the notebook's", 120, () =>
  page.getByText("Rust (NeuralComposer)", { exact: true }).first().isVisible());

// [*] while a cell waits or runs, [n] when it has ended.
const prompt = (cell) => cell.locator(".jp-InputArea-prompt").innerText();
const ended = async (cell) => /\[\d+\]/.test(await prompt(cell));
const training = cells.filter({ hasText: "100_000" });
const chart = training.locator(".jp-OutputArea-output");

await until("the menu runs all cells", 60, async () => {
  await page.locator(".lm-MenuBar-item", { hasText: "Run" }).first().click();
  await page.locator('.lm-Menu-item[data-command="runmenu:run-all"]').click();
  return true;
});
const started = Date.now();
await until("the song's waveform is drawn", 120, () =>
  cells.nth(2).locator(".jp-OutputArea-output").count());
console.log(`run all to the first waveform: ${((Date.now() - started) / 1000).toFixed(1)} s`);

await until("the chart is there while the cell runs", 120, () => chart.count());
assert.equal(await ended(training), false, "the training cell runs");
await training.scrollIntoViewIfNeeded();
const states = new Set();
const watched = Date.now();
while (Date.now() - watched < 5000) {
  states.add(await chart.first().innerHTML());
  await sleep(0.1);
}
await page.screenshot({ path: join(folder, "lab-training.png") });
assert.equal(await ended(training), false, "the training cell still runs");
assert.equal(await chart.count(), 1, "one chart, drawn in place");
assert(states.size >= 5, `the chart changed ${states.size - 1} times in 5 s`);
console.log(`the chart changed ${states.size - 1} times in 5 s`);

const pressed = Date.now();
await page.locator('.jp-NotebookPanel-toolbar [data-command="notebook:interrupt-kernel"]').first().click();
await until("the training cell ends", 5, () => ended(training));
console.log(`stop to the cell's end: ${((Date.now() - pressed) / 1000).toFixed(1)} s`);
assert.match(await training.locator(".jp-OutputArea").innerText(), /stopped|interrupted/i, "the result says that it was stopped");
await page.screenshot({ path: join(folder, "lab-stopped.png") });

// The cells behind it go on, with the network as trained so far.
const next = cells.filter({ hasText: "network.compose" });
await until("the next cell composes with what was trained", 120, () => ended(next));
assert.equal(await next.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.stderr']").count(), 0);
await until("a player is shown", 30, () => next.locator("audio").count());
await next.scrollIntoViewIfNeeded();
await page.screenshot({ path: join(folder, "lab-next.png") });
await browser.close();
console.log("1 passed, 0 failed");
process.exit(0);
