import { describe, expect, it } from "vitest";
import { Api, ApiError, type User } from "../api/client";
import { reconnectDelayMs } from "../api/stream";
import { callWords } from "../meeting/call-words";
import { fitTiles } from "../meeting/layout";
import { initials } from "./bits";
import { stillFitting } from "./combobox";
import { errorWords } from "./errors";
import { formatMeetingNumber, formatNumber, joinSentences } from "./format";
import { parseRoute } from "./router";
import { whoOptions } from "./who";

describe("a drop-down that is still looking", () => {
  const options = [
    { key: "1", title: "Pia Pereira", detail: "ext. 101", value: 1 },
    { key: "2", title: "Ari Aydin", detail: "ext. 102", value: 2 },
  ];
  const titles = (text: string | null, wanted: string) =>
    stillFitting({ text, options, problem: null }, wanted).map((option) => option.title);

  it("a14_offers_nothing_that_does_not_hold_the_typed_text", () => {
    expect(titles("", "ari")).toEqual(["Ari Aydin"]);
    expect(titles("", "10")).toEqual(["Pia Pereira", "Ari Aydin"]);
    expect(titles("", "+1202")).toEqual([]);
    expect(titles("a", "")).toEqual([]);
    expect(titles("a", "a")).toEqual(["Pia Pereira", "Ari Aydin"]);
  });
});

describe("words and numbers", () => {
  it("a50_a_number_is_shown_with_gaps", () => {
    expect(formatNumber("+12025550177")).toBe("+1 202 555 0177");
    expect(formatNumber("+442079460000")).toBe("+442079460000");
    expect(formatMeetingNumber("900000001")).toBe("900 000 001");
  });

  it("an error says what is wrong and how to mend it, each once", () => {
    expect(errorWords(new ApiError({ title: "Bad", status: 422, detail: "Too long.", mend: "Use 200 letters." }))).toBe(
      "Too long. Use 200 letters.",
    );
    expect(joinSentences("Busy", undefined)).toBe("Busy");
    expect(joinSentences("Use a phone", "Use a phone")).toBe("Use a phone");
  });

  it("i52_a_call_is_told_in_plain_words", () => {
    expect(callWords({ call: "c", state: "confirming" })).toBe("Waiting for 1");
    expect(callWords({ call: "c", state: "failed", cause: "not_confirmed" })).toBe("Did not press 1");
    expect(callWords({ call: "c", state: "failed", cause: "of_a_newer_server", words: "Something new" })).toBe(
      "Something new",
    );
  });

  it("initials come from the first and last word that has a letter", () => {
    expect(initials("Hana Maria Novak")).toBe("HN");
    expect(initials("+1 202 555 0177")).toBe("");
    expect(initials("élodie")).toBe("É");
    expect(initials("Greta Novak (guest)")).toBe("GN");
  });
});

describe("layout and routes", () => {
  it.each([
    [1, 900, 600],
    [2, 900, 600],
    [5, 900, 600],
    [9, 355, 640],
    [16, 1280, 600],
  ])("%i tiles fit a box of %i by %i", (count, width, height) => {
    const tile = fitTiles(width, height, count, 12);
    const columns = Math.floor((width + 12) / (tile.width + 12));
    const rows = Math.ceil(count / columns);
    expect(tile.width).toBeGreaterThan(0);
    expect(rows * (tile.height + 12) - 12).toBeLessThanOrEqual(height);
  });

  it("knows its pages", () => {
    expect(parseRoute("/")).toEqual({ page: "start" });
    expect(parseRoute("/meetings/m1/live")).toEqual({ page: "live", meeting: "m1" });
    expect(parseRoute("/join/a%20b")).toEqual({ page: "join", token: "a b" });
    expect(parseRoute("/meetings/m1/live/x")).toEqual({ page: "unknown" });
  });

  it("d62_reconnecting_waits_longer_each_time_up_to_a_limit", () => {
    expect([0, 1, 2].map((attempt) => reconnectDelayMs(attempt, 0))).toEqual([400, 800, 1600]);
    expect(reconnectDelayMs(30, 0)).toBe(10_000);
    expect(reconnectDelayMs(0, 1)).toBe(300);
  });
});

describe("the drop-downs", () => {
  const uma: User = {
    id: "u103",
    display_name: "Uma",
    extension: "103",
    mail: "uma@acme.test",
    devices: [
      { name: "103a", kind: "desk phone", label: "Desk phone 103a", registered: true },
      { name: "103b", kind: "desk phone", label: "Desk phone 103b", registered: false },
    ],
  };

  /** A server that answers every text with these matches. */
  function server(matches: unknown[]): Api {
    const api = new Api();
    api.users = async () => [uma];
    api.resolve = async () => matches as Awaited<ReturnType<Api["resolve"]>>;
    return api;
  }

  it("a46_a_user_shows_registered_devices_only", async () => {
    const [option] = await whoOptions(server([]), "call", "");
    expect(option?.detail).toBe("ext. 103 · Desk phone 103a");
  });

  it("a14_a_text_that_nobody_matches_offers_nothing_to_choose", async () => {
    expect(await whoOptions(server([]), "people", "zzzz")).toEqual([]);
  });

  it("i40_a_refused_number_is_shown_with_its_reason_and_cannot_be_chosen", async () => {
    const [option] = await whoOptions(
      server([{ kind: "refused", display: "911", reason: "emergency" }]),
      "call",
      "911",
    );
    expect(option).toMatchObject({ disabled: true, value: null });
    expect(option?.detail).toContain("Emergency numbers are not dialled");
  });

  it("a47_a_device_that_was_typed_is_the_one_chosen", async () => {
    const [option] = await whoOptions(
      server([{ kind: "device", user: uma, device: "103b", display: "Uma" }]),
      "call",
      "103b",
    );
    expect(option?.value).toMatchObject({ kind: "user", device: "103b" });
  });

  it("i33_a_colleagues_outside_number_is_called_as_typed_and_invited_as_the_colleague", async () => {
    const match = { kind: "number", user: uma, number: "+12025550103", display: "+1 202 555 0103" };
    expect((await whoOptions(server([match]), "call", "x"))[0]?.value).toMatchObject({ kind: "number", name: "Uma" });
    expect((await whoOptions(server([match]), "people", "x"))[0]?.value).toMatchObject({ kind: "user" });
  });

  it("a13_an_unknown_address_is_a_person_in_people_and_not_to_be_called", async () => {
    const match = { kind: "email", display: "guest@else.test", email: "guest@else.test" };
    expect((await whoOptions(server([match]), "people", "g"))[0]?.value).toEqual({
      kind: "email",
      email: "guest@else.test",
    });
    expect((await whoOptions(server([match]), "call", "g"))[0]?.disabled).toBe(true);
  });
});
