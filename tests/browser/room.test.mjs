// Media between real browsers, without signalling or page: `cargo build -p media --example browser_room`, then
// `npm --prefix tests/browser ci && npm --prefix tests/browser test`.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually, join, launchBrowser, sleep, startRoom } from './chromium.mjs';

const TONES = [500, 900, 1700];
let room;
let browsers;

before(async () => {
  room = await startRoom();
  browsers = await Promise.all([launchBrowser(), launchBrowser()]);
});

after(async () => {
  await Promise.all((browsers ?? []).map((browser) => browser.close()));
  await room?.stop();
});

/** Waits until `participant` decodes new pictures in exactly `slots`. */
async function sees(participant, slots, milliseconds) {
  let before = await participant.frames();
  await eventually(`pictures in slots ${slots}`, async () => {
    await sleep(1000);
    const now = await participant.frames();
    const moving = now.flatMap((count, slot) => (count > before[slot] ? [slot] : []));
    before = now;
    return moving.join() === slots.join() || moving;
  }, milliseconds);
}

const hears = (participant, expected) =>
  eventually(`hearing ${expected}`, async () => {
    const heard = await participant.hears(TONES);
    return heard.join() === expected.join() || heard;
  });

test('browsers see and hear each other, never themselves, and a third comes and goes', async () => {
  const first = await join(browsers[0], room.url, TONES[0]);
  const second = await join(browsers[1], room.url, TONES[1]);
  await Promise.all([sees(first, [0]), sees(second, [0])]);
  await Promise.all([hears(first, [900]), hears(second, [500])]);

  const third = await join(browsers[0], room.url, TONES[2]);
  await Promise.all([sees(first, [0, 1]), sees(second, [0, 1]), sees(third, [0, 1])]);
  await Promise.all([hears(first, [900, 1700]), hears(second, [500, 1700]), hears(third, [500, 900])]);

  await third.leave();
  await Promise.all([sees(first, [0]), sees(second, [0])]);
  await Promise.all([hears(first, [900]), hears(second, [500])]);

  await second.setCamera(false);
  await sees(first, []);
  await sleep(6000); // the slot is given up after five seconds
  await second.setCamera(true);
  await sees(first, [0]);
  assert.match(room.log.join(''), /WebrtcClosed \{ leg: LegId\(3\) \}/);
  await Promise.all([first.leave(), second.leave()]);
});
