import { describe, expect, it } from "vitest";
import type { Call, Meeting, Person } from "../api/client";
import { readFrame } from "../api/frames";
import { noticesBetween } from "./notices";
import { emptyRoom, loudness, reduceRoom, type RoomState } from "./room";
import { absent, isHost, isMuted, latestCall, maySend, present, roleOfCall, slotOf, strayCalls } from "./select";

const meeting: Meeting = { id: "m1", number: "900000001", title: "Sync", type: "conference", state: "active" };

function person(id: string, change: Partial<Person> = {}): Person {
  return {
    id,
    display_name: id,
    role: "attendee",
    access: "collaborate",
    present: true,
    leg_kind: "webrtc",
    ...change,
  };
}

function call(id: string, change: Partial<Call> = {}): Call {
  return { call: id, person: "ari", state: "ringing", at: 1, ...change };
}

const hana = person("hana", { role: "host" });

function snapshot(id: number, people: Person[] = [hana], calls: Call[] = []): unknown {
  return {
    type: "snapshot",
    id,
    data: { meeting, people, calls, slots: { hana: ["pia", null], pia: ["hana"] }, active_speaker: null },
  };
}

const event = (id: number, kind: string, data: unknown): unknown => ({
  type: "event",
  id,
  kind,
  at: 0,
  meeting: "m1",
  data,
});

/** The state after these frames, as they come over the wire. */
function after(...frames: unknown[]): RoomState {
  const entered = reduceRoom(emptyRoom, { type: "entered", me: "hana", meeting });
  return frames.reduce<RoomState>((state, each) => {
    const frame = readFrame(JSON.stringify(each));
    return frame === null ? state : reduceRoom(state, { type: "frame", frame });
  }, entered);
}

describe("the room after a snapshot", () => {
  it("d62_a_late_joiner_gets_people_and_running_calls_first", () => {
    const state = after(snapshot(7, [hana, person("ari", { present: false })], [call("c1")]));
    expect(present(state).map(({ id }) => id)).toEqual(["hana"]);
    expect(absent(state).map(({ id }) => id)).toEqual(["ari"]);
    expect(latestCall(state, "ari")?.state).toBe("ringing");
    expect(isHost(state)).toBe(true);
  });

  it("keeps only this listener's own video slots", () => {
    const state = after(snapshot(1, [hana, person("pia")]));
    expect(slotOf(state, "pia")).toBe(0);
    expect(slotOf(state, "hana")).toBeNull();
  });

  it("replaces everything, also when a restarted server counts from one again", () => {
    const state = after(
      snapshot(900, [hana, person("pia")]),
      snapshot(3, [hana]),
      event(4, "person.joined", { person: person("uma") }),
    );
    expect(present(state).map(({ id }) => id)).toEqual(["hana", "uma"]);
  });
});

describe("the room after events", () => {
  it("d62_an_event_told_twice_counts_once", () => {
    const state = after(
      snapshot(5),
      event(6, "person.joined", { person: person("pia") }),
      event(6, "person.left", { person: person("pia", { present: false }) }),
      event(4, "person.left", { person: person("pia", { present: false }) }),
    );
    expect(present(state)).toHaveLength(2);
  });

  it("d35_a_call_goes_through_its_states_and_keeps_what_it_was", () => {
    const state = after(
      snapshot(1, [hana, person("ari", { present: false })]),
      event(2, "call.queued", call("c1", { state: "queued", display_name: "Ari", target: "+12025550177" })),
      event(3, "call.ringing", { call: "c1", state: "ringing", at: 3 }),
      event(4, "call.queued", { call: "c1", state: "queued", at: 2 }),
      event(5, "call.failed", { call: "c1", state: "failed", cause: "busy", sip_code: 486, words: "Busy", at: 4 }),
    );
    expect(state.calls.c1).toMatchObject({ state: "failed", cause: "busy", display_name: "Ari", person: "ari" });
  });

  it("i55_the_newest_call_to_a_person_is_the_one_shown", () => {
    const state = after(
      snapshot(1, [hana], [call("c1", { state: "failed", at: 10 }), call("c2", { state: "ringing", at: 20 })]),
    );
    expect(latestCall(state, "ari")?.call).toBe("c2");
  });

  it("i52_somebody_called_stays_in_the_list_when_the_call_has_failed", () => {
    const data = { person: "p9", display_name: "+12025550120", number: "+12025550120", role: "presenter" };
    const state = after(
      snapshot(1, [hana], []),
      event(2, "call.queued", { ...data, call: "c1", state: "queued", at: 2 }),
      event(3, "call.failed", { ...data, call: "c1", state: "failed", cause: "busy", at: 4 }),
    );
    expect(absent(state)).toMatchObject([{ id: "p9", number: "+12025550120", role: "presenter", present: false }]);
    expect(latestCall(state, "p9")?.cause).toBe("busy");
    const removed = after(
      snapshot(1, [hana], []),
      event(2, "call.ended", { ...data, call: "c1", state: "ended", at: 4 }),
    );
    expect(absent(removed)).toEqual([]);
  });

  it("i76_the_latest_call_says_the_role_until_the_person_is_in", () => {
    const ari = person("ari", { role: "presenter", present: false });
    const ringing = call("c1", { state: "ringing", role: "attendee" });
    expect(roleOfCall(ringing, ari)).toBe("attendee");
    expect(roleOfCall({ ...ringing, state: "joined" }, ari)).toBe("presenter");
    expect(roleOfCall({ ...ringing, state: "failed" }, undefined)).toBe("attendee");
    expect(roleOfCall(null, ari)).toBe("presenter");
    const changed = after(
      snapshot(1, [hana, ari], [ringing]),
      event(2, "person.role_changed", { person: { ...ari, role: "host" } }),
    );
    expect(roleOfCall(changed.calls.c1 ?? null, changed.people.ari)).toBe("host");
  });

  it("shows a running call whose person is not in the list yet", () => {
    const state = after(snapshot(1, [hana], [call("c1"), call("c2", { person: "uma", state: "failed" })]));
    expect(strayCalls(state).map((each) => each.call)).toEqual(["c1"]);
  });

  it("a67_a_changed_role_replaces_the_old_one", () => {
    const state = after(
      snapshot(1, [hana, person("ari")]),
      event(2, "person.role_changed", { person: person("ari", { role: "presenter" }) }),
      event(3, "person.role_changed", { person: person("ari", { role: "host" }) }),
    );
    expect(state.people.ari?.role).toBe("host");
  });

  it("d49_marks_the_active_speaker_until_another_speaks_or_leaves", () => {
    const speaking = after(
      snapshot(1, [hana, person("ari")]),
      event(2, "person.speaking", { person: "ari", level: 30 }),
    );
    expect(speaking.speaker).toBe("ari");
    expect(speaking.levels.ari).toBeGreaterThan(0.5);
    const left = after(
      snapshot(1, [hana, person("ari")]),
      event(2, "person.speaking", { person: "ari", level: 30 }),
      event(3, "person.left", { person: person("ari", { present: false }) }),
    );
    expect(left.speaker).toBeNull();
  });

  it("takes video slots for this listener only", () => {
    const state = after(
      snapshot(1),
      event(2, "media.slots", { person: "pia", slots: ["uma"] }),
      event(3, "media.slots", { person: "hana", slots: [null, "pia"] }),
    );
    expect(slotOf(state, "pia")).toBe(1);
    expect(slotOf(state, "uma")).toBeNull();
  });

  it("i09_is_over_when_the_meeting_ends_and_i74_when_this_person_is_removed", () => {
    expect(after(snapshot(1), event(2, "meeting.ended", {})).over).toBe("ended");
    expect(after(snapshot(1), event(2, "person.removed", { person: hana })).over).toBe("removed");
    expect(after(snapshot(1), event(2, "person.removed", { person: person("ari") })).over).toBeNull();
  });

  it("ignores kinds and frames it does not know", () => {
    const state = after(
      snapshot(1),
      event(2, "trunk.down", {}),
      event(3, "call.ringing", { nonsense: true }),
      { type: "hello" },
      17,
    );
    expect(state.lastEventId).toBe(3);
    expect(state.calls).toEqual({});
  });
});

describe("what the user is told", () => {
  it("i71_a_person_is_told_of_a_changed_role_and_of_view_only", () => {
    const before = after(snapshot(1, [person("hana")]));
    const now = after(snapshot(1, [person("hana", { role: "presenter", access: "view_only" })]));
    expect(noticesBetween(before, now)).toEqual(["You are now Presenter", "A Host has set you to VIEW ONLY"]);
  });

  it("says once that somebody called is in", () => {
    const ringing = after(snapshot(1, [hana], [call("c1", { display_name: "Ari" })]));
    const joined = after(snapshot(2, [hana], [call("c1", { display_name: "Ari", state: "joined" })]));
    expect(noticesBetween(ringing, joined)).toEqual(["Ari is in the meeting"]);
    expect(noticesBetween(joined, joined)).toEqual([]);
    const watching = { invite: "call" } as const;
    expect(noticesBetween({ ...ringing, ...watching }, { ...joined, ...watching })).toEqual([]);
  });

  it("says nothing of what was so before this browser came", () => {
    expect(noticesBetween(emptyRoom, after(snapshot(1, [hana], [call("c1", { state: "joined" })])))).toEqual([]);
  });
});

describe("who may send", () => {
  it.each([
    ["conference", "attendee", "collaborate", true],
    ["presentation", "attendee", "collaborate", false],
    ["presentation", "presenter", "collaborate", true],
    ["conference", "presenter", "view_only", false],
  ] as const)("i78 in a %s, %s with %s: %s", (type, role, access, expected) => {
    expect(maySend(type, { role, access })).toBe(expected);
  });

  it("i75_two_flags_make_one_sign", () => {
    expect(isMuted(person("a", { muted_by_self: true }))).toBe(true);
    expect(isMuted(person("a", { muted_by_host: true }))).toBe(true);
    expect(isMuted(person("a"))).toBe(false);
  });

  it("maps levels of RFC 6464 to a ring", () => {
    expect(loudness(127)).toBe(0);
    expect(loudness(0)).toBe(1);
    expect(loudness(37.5)).toBeCloseTo(0.5);
  });
});
