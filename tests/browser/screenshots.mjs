// Pictures of the page for looking at: start page, a meeting being created, CALL tab with its states, meeting with
// phone tiles; each wide and narrow, light and dark. PARTYLINE_SCREENSHOTS names the folder.

import { mkdirSync } from "node:fs";
import { join as path } from "node:path";
import { callRow, choose, createMeeting, id, join, login, openCallTab, run, tell, TONES, waitCallState } from "./lib.mjs";

const WIDE = { width: 1280, height: 800 };
const NARROW = { width: 375, height: 800 };
const folder = process.env.PARTYLINE_SCREENSHOTS ?? "screenshots";

await run(async ({ open }) => {
  mkdirSync(folder, { recursive: true });
  const page = await open(TONES.HANA);
  const takeOne = async (name, size, colorScheme) => {
    await page.setViewportSize(size);
    await page.emulateMedia({ colorScheme });
    // Menus and tiles move for a moment.
    await page.waitForTimeout(400);
    const file = path(folder, `${name}.png`);
    await page.screenshot({ path: file });
    tell("picture", { file });
  };
  const take = async (name) => {
    await takeOne(`${name}-narrow-dark`, NARROW, "dark");
    await takeOne(`${name}-narrow`, NARROW, "light");
    await takeOne(`${name}-dark`, WIDE, "dark");
    await takeOne(name, WIDE, "light");
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
  // On a phone the list of people covers the tiles.
  await id(page, "people-toggle").click();
  await take("07-meeting-without-panel");
  await id(page, "end-meeting").click();
  await take("08-end");
});
