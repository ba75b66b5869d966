// What every script here needs: Chromium with a microphone that plays one tone, a page that can be driven, ears.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as pathOf } from "node:path";
import { chromium } from "playwright-core";

/** The address of the gateway. */
export const URL_BASE = need("PARTYLINE_URL");

/** The tones of the lab (tests/src/tone.rs). */
export const TONES = { HANA: 450, UMA: 600, PIA: 800, OUTSIDE: 950, GUEST: 2450 };

/** From this level on a tone counts as heard, in dB below a full-scale sine. */
const HEARD_DB = -40;

function need(name) {
  const value = process.env[name];
  if (!value) throw new Error(`set ${name}`);
  return value.replace(/\/$/, "");
}

/** Tells the test that drives this script; one JSON object a line. */
export function tell(event, data = {}) {
  process.stdout.write(`${JSON.stringify({ event, ...data })}\n`);
}

/** Runs a script; whatever goes wrong is told, and every browser is closed. */
export async function run(script) {
  const browsers = [];
  try {
    await script({ open: async (hz) => open(hz, browsers) });
    tell("done");
  } catch (error) {
    tell("failed", { why: String(error?.stack ?? error) });
    process.exitCode = 1;
  } finally {
    await Promise.all(browsers.map((browser) => browser.close()));
  }
}

/** A Chromium of its own whose microphone says `hz`, with one page in it. */
async function open(hz, browsers) {
  const folder = mkdtempSync(pathOf(tmpdir(), "partyline-browser-"));
  const file = pathOf(folder, "tone.wav");
  writeFileSync(file, toneFile(hz));
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    args: [
      "--no-sandbox",
      "--use-fake-ui-for-media-stream",
      "--use-fake-device-for-media-stream=fps=30",
      `--use-file-for-fake-audio-capture=${file}`,
      "--autoplay-policy=no-user-gesture-required",
    ],
  });
  browsers.push({ close: async () => { await browser.close(); rmSync(folder, { recursive: true, force: true }); } });
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    permissions: ["microphone", "camera", "clipboard-read", "clipboard-write"],
  });
  await context.addInitScript(prepare);
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  page.on("pageerror", (error) => tell("page-error", { why: String(error) }));
  return page;
}

/** Runs in the page before its own code: keeps the connections for statistics, and leaves a tone a tone. */
function prepare() {
  globalThis.labConnections = [];
  const Native = RTCPeerConnection;
  globalThis.RTCPeerConnection = class extends Native {
    constructor(...all) {
      super(...all);
      globalThis.labConnections.push(this);
    }
  };
  const media = navigator.mediaDevices;
  const native = media.getUserMedia.bind(media);
  media.getUserMedia = (wanted) => {
    const raw = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    const audio = wanted.audio ? { ...(wanted.audio === true ? {} : wanted.audio), ...raw } : wanted.audio;
    return native({ ...wanted, audio });
  };
}

/** Ten seconds of a sine as a WAV file; Chromium plays it over and over, so it holds whole periods. */
function toneFile(hz) {
  const rate = 48_000;
  const samples = rate * 10;
  const bytes = Buffer.alloc(44 + samples * 2);
  bytes.write("RIFF", 0);
  bytes.writeUInt32LE(36 + samples * 2, 4);
  bytes.write("WAVEfmt ", 8);
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20);
  bytes.writeUInt16LE(1, 22);
  bytes.writeUInt32LE(rate, 24);
  bytes.writeUInt32LE(rate * 2, 28);
  bytes.writeUInt16LE(2, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.write("data", 36);
  bytes.writeUInt32LE(samples * 2, 40);
  const amplitude = 32_767 * 10 ** (-15 / 20);
  for (let n = 0; n < samples; n += 1) {
    bytes.writeInt16LE(Math.round(amplitude * Math.sin((2 * Math.PI * hz * n) / rate)), 44 + n * 2);
  }
  return bytes;
}

export const id = (page, name) => page.locator(`[data-testid="${name}"]`);

/** Fills in the login form. */
export async function login(page, user) {
  await page.goto(`${URL_BASE}/`);
  const form = id(page, "login-form");
  await form.locator('input[name="login"]').fill(user);
  await form.locator('input[name="password"]').fill(`${user}-demo`);
  await form.locator('button[type="submit"]').click();
  await id(page, "create-meeting").waitFor();
}

/** Types into a drop-down and takes the first thing offered that looks like it; a number by its last four digits. */
export async function choose(page, field, text) {
  const looks = new RegExp(/\d{4}$/.test(text) ? text.slice(-4) : text, "i");
  await id(page, field).click();
  await id(page, field).fill(text);
  const option = id(page, "option").filter({ hasText: looks }).first();
  await option.waitFor();
  await option.click();
}

/** Creates a meeting with `people` and starts it; returns its id. The lobby is open then. */
export async function createMeeting(page, title, people) {
  await id(page, "create-meeting").click();
  await id(page, "meeting-title").fill(title);
  for (const person of people) await choose(page, "people-input", person);
  await id(page, "next").click();
  await id(page, "start-meeting").click();
  await page.waitForURL(/\/meetings\/[^/]+\/live/);
  return page.url().match(/\/meetings\/([^/]+)\/live/)[1];
}

/** Presses Join in the lobby and waits for media. */
export async function join(page) {
  // The lobby opens the devices first.
  await page.waitForTimeout(1_000);
  await id(page, "join-button").click();
  await page.locator('[data-testid="room"][data-media="connected"]').waitFor();
}

/** Opens the CALL tab. */
export async function openCallTab(page) {
  await id(page, "invite-button").click();
  await id(page, "tab-call").click();
  await id(page, "call-input").waitFor();
}

/** The row whose text contains `text`. */
export const callRow = (page, text) => id(page, "call-row").filter({ hasText: text });

/** Waits until the row shows one of `states`. */
export async function waitCallState(row, states, timeout = 20_000) {
  const wanted = states.map((state) => `[data-testid="call-state"][data-state="${state}"]`).join(", ");
  const found = row.locator(wanted).first();
  await found.waitFor({ timeout });
  return found.getAttribute("data-state");
}

/** Levels of the known tones in what the page plays, in dB; the loudest of a quarter of a second. */
export async function levels(page) {
  return page.evaluate(async (tones) => {
    const audio = document.querySelector('[data-testid="mix-audio"]');
    if (!(audio?.srcObject instanceof MediaStream)) return {};
    globalThis.labContext ??= new AudioContext({ sampleRate: 48_000 });
    const context = globalThis.labContext;
    await context.resume();
    const source = context.createMediaStreamSource(audio.srcObject);
    const analyser = new AnalyserNode(context, { fftSize: 8_192 });
    source.connect(analyser);
    await new Promise((resolve) => setTimeout(resolve, 250));
    const samples = new Float32Array(7_680); // 160 ms: whole periods of every tone
    analyser.getFloatTimeDomainData(samples);
    source.disconnect();
    const level = (hz) => {
      const coefficient = 2 * Math.cos((2 * Math.PI * hz) / 48_000);
      let previous = 0;
      let before = 0;
      for (const sample of samples) [previous, before] = [sample + coefficient * previous - before, previous];
      const power = previous ** 2 + before ** 2 - coefficient * previous * before;
      return 20 * Math.log10((2 * Math.sqrt(Math.max(power, 0))) / samples.length + 1e-9);
    };
    return Object.fromEntries(Object.entries(tones).map(([name, hz]) => [name, Math.round(level(hz))]));
  }, TONES);
}

/** Waits until the page plays the tone called `name`. */
export async function waitHeard(page, name, timeout = 10_000) {
  const deadline = Date.now() + timeout;
  let last = {};
  while (Date.now() < deadline) {
    last = await levels(page);
    if ((last[name] ?? -180) > HEARD_DB) return last;
  }
  throw new Error(`${name} was not heard; levels are ${JSON.stringify(last)}`);
}

/** Decoded pictures and freezes of all received videos. */
export async function video(page) {
  return page.evaluate(async () => {
    const sum = { frames: 0, freezes: 0, streams: 0 };
    for (const connection of globalThis.labConnections) {
      if (connection.connectionState !== "connected") continue;
      for (const report of (await connection.getStats()).values()) {
        if (report.type !== "inbound-rtp" || report.kind !== "video" || !report.framesDecoded) continue;
        sum.frames += report.framesDecoded;
        sum.freezes += report.freezeCount ?? 0;
        sum.streams += 1;
      }
    }
    return sum;
  });
}

/** Waits until `streams` videos are being decoded. */
export async function waitVideo(page, streams, timeout = 15_000) {
  const deadline = Date.now() + timeout;
  let last = {};
  while (Date.now() < deadline) {
    last = await video(page);
    if (last.streams >= streams && last.frames > 10 * streams) return last;
    await page.waitForTimeout(200);
  }
  throw new Error(`${streams} videos were expected, decoded are ${JSON.stringify(last)}`);
}
