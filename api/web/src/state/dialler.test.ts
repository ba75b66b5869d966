import { describe, expect, it } from "vitest";
import type { Device } from "../api/client";
import {
  alreadyListed,
  callTarget,
  type Dialler,
  type DiallerAction,
  emptyDialler,
  readyToCall,
  reduceDialler,
  type RowTarget,
} from "./dialler";

const device = (name: string): Device => ({ name, kind: "desk phone", label: `Desk phone ${name}`, registered: true });
const uma: RowTarget = { kind: "user", user: "u103", name: "Uma", number: "+12025550103", devices: null, device: null };
const number: RowTarget = { kind: "number", number: "+12025550177", name: null };

const run = (...actions: DiallerAction[]): Dialler => actions.reduce(reduceDialler, emptyDialler);
const addUma: DiallerAction = { type: "add", key: "r1", target: uma };
const addNumber: DiallerAction = { type: "add", key: "r2", target: number };
const oneDevice: DiallerAction = { type: "devices", key: "r1", devices: [device("103a")] };
const targets = (state: Dialler) => state.rows.filter(readyToCall).map(callTarget);

describe("choosing whom to call", () => {
  it("a47_the_only_registered_device_is_chosen_by_itself", () => {
    expect(targets(run(addUma, oneDevice))).toEqual([
      { user: "u103", device: "103a", role: "attendee", access: "collaborate" },
    ]);
  });

  it("a47_of_several_devices_exactly_the_chosen_one_is_called", () => {
    const devices: DiallerAction = { type: "devices", key: "r1", devices: [device("103a"), device("103b")] };
    expect(targets(run(addUma, devices))).toEqual([]);
    const chosen = run(addUma, devices, { type: "choose", key: "r1", device: "103b" });
    expect(targets(chosen)).toMatchObject([{ device: "103b" }]);
  });

  it("i37_without_a_registered_device_the_users_number_is_offered", () => {
    const none = run(addUma, { type: "devices", key: "r1", devices: [] });
    expect(targets(none)).toEqual([]);
    const instead = reduceDialler(none, { type: "use-number", key: "r1" });
    expect(targets(instead)).toMatchObject([{ number: "+12025550103", name: "Uma" }]);
  });

  it("a40_the_last_role_counts_and_a53_devices_and_numbers_mix", () => {
    const state = run(
      addUma,
      oneDevice,
      addNumber,
      { type: "role", key: "r2", role: "host" },
      { type: "role", key: "r2", role: "presenter" },
    );
    expect(targets(state)).toMatchObject([
      { device: "103a", role: "attendee" },
      { number: "+12025550177", role: "presenter" },
    ]);
  });

  it("a17_a_removed_row_is_not_called", () => {
    expect(targets(run(addNumber, { type: "remove", key: "r2" }))).toEqual([]);
  });
});

describe("pressing CALL", () => {
  const pressed = run(addUma, oneDevice, addNumber, { type: "press", pressKey: "k1" });

  it("d39_nothing_is_ready_while_a_press_is_under_way", () => {
    expect(pressed.rows.map((row) => row.at.step)).toEqual(["sending", "sending"]);
    expect(pressed.rows.some(readyToCall)).toBe(false);
  });

  it("a54_each_row_gets_its_own_result", () => {
    const state = reduceDialler(pressed, {
      type: "answered",
      keys: ["r1", "r2"],
      receipts: [
        { id: "c1", state: "queued" },
        { state: "refused", reason: "emergency", mend: "Use a phone" },
      ],
    });
    expect(state.pressKey).toBeNull();
    expect(state.rows[0]?.at).toEqual({ step: "placed", call: "c1" });
    expect(state.rows[1]?.at).toMatchObject({ step: "refused" });
    expect(state.rows[1] && readyToCall(state.rows[1])).toBe(true);
  });

  it("d39_a_press_without_an_answer_keeps_its_key_for_the_next_try", () => {
    const state = reduceDialler(pressed, { type: "unreachable" });
    expect(state.pressKey).toBe("k1");
    expect(targets(state)).toHaveLength(2);
  });

  it("d39_a_changed_list_is_a_new_request", () => {
    const state = reduceDialler(reduceDialler(pressed, { type: "unreachable" }), {
      type: "role",
      key: "r1",
      role: "host",
    });
    expect(state.pressKey).toBeNull();
  });

  it("a press that was refused as a whole may be made again", () => {
    const state = reduceDialler(pressed, { type: "rejected" });
    expect(state.pressKey).toBeNull();
    expect(targets(state)).toHaveLength(2);
  });

  it("i55_call_again_follows_the_new_call_and_keeps_the_role", () => {
    const placed = reduceDialler(pressed, {
      type: "answered",
      keys: ["r1"],
      receipts: [{ id: "c1", state: "queued" }],
    });
    const again = reduceDialler(placed, { type: "again", key: "r1", call: "c2" });
    expect(again.rows[0]).toMatchObject({ role: "attendee", at: { step: "placed", call: "c2" } });
  });
});

describe("the same target twice", () => {
  it("i36_is_asked_not_rung_twice", () => {
    const { rows } = run(addUma, oneDevice, addNumber);
    expect(alreadyListed(rows, {}, { user: "u103" })).toBe(true);
    expect(alreadyListed(rows, {}, { number: "+12025550177" })).toBe(true);
    expect(alreadyListed(rows, {}, { number: "+12025550178" })).toBe(false);
  });

  it("may be added again once its call is over", () => {
    const placed = run(
      addNumber,
      { type: "press", pressKey: "k" },
      { type: "answered", keys: ["r2"], receipts: [{ id: "c1", state: "queued" }] },
    );
    const busy = { c1: { call: "c1", state: "failed" as const } };
    const ringing = { c1: { call: "c1", state: "ringing" as const } };
    expect(alreadyListed(placed.rows, busy, { number: "+12025550177" })).toBe(false);
    expect(alreadyListed(placed.rows, ringing, { number: "+12025550177" })).toBe(true);
  });
});
