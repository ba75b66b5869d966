// Pictures of the page for looking at: start page, meeting with a phone tile, CALL tab with its states.
// PARTYLINE_SCREENSHOTS names the folder.

import { mkdirSync } from "node:fs";
import { join as path } from "node:path";
import { callRow, choose, createMeeting, id, join, login, openCallTab, run, tell, TONES, waitCallState } from "./lib.mjs";

const folder = process.env.PARTYLINE_SCREENSHOTS ?? "screenshots";

await run(async ({ open }) => {
  mkdirSync(folder, { recursive: true });
  const page = await open(TONES.HANA);
  const take = async (name) => {
    // Menus and tiles move for a moment.
    await page.waitForTimeout(400);
    const file = path(folder, `${name}.png`);
    await page.screenshot({ path: file });
    tell("picture", { file });
  };
  await page.goto(process.env.PARTYLINE_URL);
  await id(page, "login-form").waitFor();
  await take("01-login");
  await login(page, "hana");
  await take("02-start");
  await createMeeting(page, "Weekly design review", ["pia"]);
  await page.waitForTimeout(1_000);
  await take("03-lobby");
  await join(page);
  await openCallTab(page);
  await choose(page, "call-input", "uma");
  for (const number of ["(202) 555-0177", "+12025550120", "+12025550122"]) await choose(page, "call-input", number);
  await take("04-call-ready");
  await id(page, "call-button").click();
  await waitCallState(callRow(page, "0120"), ["failed"]);
  await waitCallState(callRow(page, "0122"), ["ringing"]);
  await waitCallState(callRow(page, "Uma"), ["joined"]);
  await take("05-call-states");
  await waitCallState(callRow(page, "0177"), ["joined"]);
  await page.keyboard.press("Escape");
  await page.locator('[data-testid="tile"][data-kind="phone"]').first().waitFor();
  await take("06-meeting-with-phones");
  await page.setViewportSize({ width: 420, height: 840 });
  await take("07-narrow");
});
