/** Questions the page asks of the room's state. All pure. */

import type { Call, CallPhase, MeetingType, Person, Role } from "../api/client";
import type { RoomState } from "./room";

const FINAL: readonly CallPhase[] = ["ended", "failed", "refused", "cancelled"];

export const isFinal = (phase: CallPhase): boolean => FINAL.includes(phase);

/** On its way into the meeting: it may still be cancelled. */
export const isPending = (phase: CallPhase): boolean => !isFinal(phase) && phase !== "joined";

export const isPhone = (person: Person): boolean => person.leg_kind === "sip" || person.leg_kind === "phone";

/** Known by a phone number and nothing else. */
export const isBareNumber = (person: Person): boolean => !person.user && !person.email && Boolean(person.number);

/** Known by an e-mail address and nothing else. */
export const isBareMail = (person: Person): boolean => !person.user && Boolean(person.email);

export function myself(state: RoomState): Person | null {
  return state.me === null ? null : (state.people[state.me] ?? null);
}

export const isHost = (state: RoomState): boolean => myself(state)?.role === "host";

/** Everybody who is in, this browser's own person first, the others in the order they came. */
export function present(state: RoomState): Person[] {
  const inside = Object.values(state.people).filter((person) => person.present);
  return [...inside.filter((person) => person.id === state.me), ...inside.filter((person) => person.id !== state.me)];
}

/** Invited or called people who are not in: those being called first, then those whose call has failed. */
export function absent(state: RoomState): Person[] {
  const urgency = (person: Person): number => {
    const call = latestCall(state, person.id);
    if (call === null) return 2;
    return isPending(call.state) ? 0 : 1;
  };
  return Object.values(state.people)
    .filter((person) => !person.present)
    .sort((a, b) => urgency(a) - urgency(b));
}

/** The newest call to a person: later calls replace earlier ones on that person's row. */
export function latestCall(state: RoomState, person: string): Call | null {
  let latest: Call | null = null;
  for (const call of Object.values(state.calls)) {
    if (call.person === person && (latest === null || (call.at ?? 0) >= (latest.at ?? 0))) latest = call;
  }
  return latest;
}

/** The role in force: what the call gives while it is on its way, what the person has once they are in. */
export function roleOfCall(call: Call | null, person: Person | undefined): Role | null {
  if (call !== null && isPending(call.state)) return call.role ?? person?.role ?? null;
  return person?.role ?? call?.role ?? null;
}

/** Running calls to people the list does not hold (yet). */
export function strayCalls(state: RoomState): Call[] {
  return Object.values(state.calls).filter(
    (call) => isPending(call.state) && !(call.person && state.people[call.person]),
  );
}

/** On the list only because of a call that is over: the Hosts' business, nobody else's. */
export function calledInVain(state: RoomState, person: Person): boolean {
  const call = latestCall(state, person.id);
  return person.source === "call" && call !== null && !isPending(call.state);
}

/** Which slot carries this person's camera, if one does. */
export function slotOf(state: RoomState, person: string): number | null {
  const slot = state.slots.indexOf(person);
  return slot < 0 ? null : slot;
}

/** Whether role and access let a person send at all; the server enforces it, the page only says so beforehand. */
export function maySend(type: MeetingType | undefined, person: Pick<Person, "role" | "access">): boolean {
  if (person.access === "view_only") return false;
  return type !== "presentation" || person.role !== "attendee";
}

/** Muted by themselves or by a Host: two flags, one sign. */
export const isMuted = (person: Person): boolean => person.muted_by_self === true || person.muted_by_host === true;
