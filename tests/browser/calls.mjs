// Hana creates a meeting in the page and calls Uma's desk phone from the CALL tab; she must hear the phone's tone.

import { callRow, choose, createMeeting, id, join, login, openCallTab, run, tell, TONES, waitCallState, waitHeard } from "./lib.mjs";

await run(async ({ open }) => {
  const page = await open(TONES.HANA);
  await login(page, "hana");
  const meeting = await createMeeting(page, "Call from the page", []);
  await join(page);
  tell("in", { meeting });
  await openCallTab(page);
  await choose(page, "call-input", "uma");
  const row = callRow(page, "Uma");
  await row.waitFor();
  await id(page, "call-button").click();
  tell("called");
  tell("state", { state: await waitCallState(row, ["joined", "failed", "refused", "ended"]) });
  tell("heard", { levels: await waitHeard(page, "UMA") });
  await page.keyboard.press("Escape");
  await page.locator('[data-testid="tile"][data-kind="phone"]').waitFor();
  // Long enough for the phone to record the browser.
  await page.waitForTimeout(3_000);
  await id(page, "invite-button").click();
  await id(page, "tab-call").click();
  await row.locator('[data-testid="hang-up"]').click();
  tell("over", { state: await waitCallState(row, ["ended"]) });
});
