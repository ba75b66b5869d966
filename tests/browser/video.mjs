// Two browsers see and hear each other; a phone that joins and a third browser that comes and goes disturb nothing.

import { callRow, choose, createMeeting, id, join, login, openCallTab, run, tell, TONES, URL_BASE, video, waitCallState, waitHeard, waitVideo } from "./lib.mjs";

/** Pictures decoded by `page` while `during` runs for at least two seconds. */
async function decodedDuring(page, during) {
  const before = await video(page);
  const began = Date.now();
  await during();
  await page.waitForTimeout(Math.max(0, 2_000 - (Date.now() - began)));
  const after = await video(page);
  const seconds = (Date.now() - began) / 1_000;
  return { fps: Math.round((after.frames - before.frames) / seconds), freezes: after.freezes - before.freezes };
}

async function enter(open, user, hz, meeting) {
  const page = await open(hz);
  await login(page, user);
  await page.goto(`${URL_BASE}/meetings/${meeting}/live`);
  await join(page);
  return page;
}

await run(async ({ open }) => {
  const hana = await open(TONES.HANA);
  await login(hana, "hana");
  const meeting = await createMeeting(hana, "Faces", ["pia", "ari"]);
  await join(hana);
  const pia = await enter(open, "pia", TONES.PIA, meeting);
  tell("both", { hana: await waitVideo(hana, 1), pia: await waitVideo(pia, 1) });
  tell("sound", { hana: await waitHeard(hana, "PIA"), pia: await waitHeard(pia, "HANA") });

  tell("alone", await decodedDuring(pia, async () => {}));
  const phone = await decodedDuring(pia, async () => {
    await openCallTab(hana);
    await choose(hana, "call-input", "uma");
    await id(hana, "call-button").click();
    await waitCallState(callRow(hana, "Uma"), ["joined"]);
    await hana.keyboard.press("Escape");
    await waitHeard(pia, "UMA");
  });
  tell("phone-joined", phone);

  const third = await decodedDuring(pia, async () => {
    const ari = await enter(open, "ari", TONES.GUEST, meeting);
    await waitVideo(ari, 2);
    await waitVideo(pia, 2);
    await waitHeard(hana, "GUEST");
    await id(ari, "leave").click();
    await id(ari, "after-meeting").waitFor();
  });
  tell("third-came-and-went", third);
  tell("after", await decodedDuring(hana, async () => {}));
});
