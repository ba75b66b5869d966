/** What a meeting in progress looks like from this browser: a pure reducer over the event stream. */

import type { Call, Meeting, MeetingPhase, Person } from "../api/client";
import { type Frame, readCall, readPerson, readSlots, type Snapshot } from "../api/frames";
import { type Dialler, type DiallerAction, emptyDialler, reduceDialler } from "./dialler";
import { isPending } from "./select";

/** Why the meeting is over for this browser. */
export type Over = "ended" | "removed" | "left" | "lost" | "replaced";

/** This browser's own devices and connection. */
export interface Local {
  media: "connecting" | "connected" | "lost";
  microphone: "on" | "off" | "none";
  camera: "on" | "off";
  /** The browser refuses to play sound before the user presses something. */
  soundBlocked: boolean;
}

/** The tabs of the Invite dialog. */
export type InviteTab = "join-info" | "invite" | "call";

export interface RoomState {
  /** Whether the event stream is connected; what is shown may be stale while it is not. */
  online: boolean;
  /** Set by the first snapshot; before it the lists below say nothing. */
  loaded: boolean;
  lastEventId: number;
  meeting: Meeting | null;
  /** This browser's own person. */
  me: string | null;
  people: Readonly<Record<string, Person>>;
  calls: Readonly<Record<string, Call>>;
  /** Which person each received video slot carries. */
  slots: readonly (string | null)[];
  speaker: string | null;
  /** Last told level per person, from 0 (silent) to 1 (as loud as it gets). */
  levels: Readonly<Record<string, number>>;
  over: Over | null;
  local: Local;
  /** The open tab of the Invite dialog, if it is open. */
  invite: InviteTab | null;
  dialler: Dialler;
}

export type RoomAction =
  | { type: "entered"; me: string; meeting: Meeting }
  | { type: "online"; online: boolean }
  | { type: "frame"; frame: Frame }
  | { type: "left"; over: Over }
  | { type: "local"; change: Partial<Local> }
  | { type: "invite"; tab: InviteTab | null }
  | { type: "dialler"; action: DiallerAction };

export const emptyRoom: RoomState = {
  online: false,
  loaded: false,
  lastEventId: 0,
  meeting: null,
  me: null,
  people: {},
  calls: {},
  slots: [],
  speaker: null,
  levels: {},
  over: null,
  local: { media: "connecting", microphone: "off", camera: "off", soundBlocked: false },
  invite: null,
  dialler: emptyDialler,
};

export function reduceRoom(state: RoomState, action: RoomAction): RoomState {
  switch (action.type) {
    case "entered":
      return { ...state, me: action.me, meeting: state.meeting ?? action.meeting, over: null };
    case "online":
      return state.online === action.online ? state : { ...state, online: action.online };
    case "left":
      return { ...state, over: state.over ?? action.over };
    case "local":
      return { ...state, local: { ...state.local, ...action.change } };
    case "invite":
      return { ...state, invite: action.tab };
    case "dialler":
      return { ...state, dialler: reduceDialler(state.dialler, action.action) };
    case "frame":
      return action.frame.type === "snapshot"
        ? takeSnapshot(state, action.frame.id, action.frame.data)
        : takeEvent(state, action.frame.id, action.frame.kind, action.frame.data);
  }
}

/** A snapshot replaces everything it covers, also after a server restart that counts ids anew. */
function takeSnapshot(state: RoomState, id: number, data: Snapshot): RoomState {
  const meeting = data.meeting ? { ...state.meeting, ...data.meeting } : state.meeting;
  return {
    ...state,
    loaded: true,
    lastEventId: id,
    meeting,
    people: Object.fromEntries(data.people.map((person) => [person.id, person])),
    calls: Object.fromEntries(data.calls.map((call) => [call.call, call])),
    slots: (state.me === null ? undefined : data.slots[state.me]) ?? [],
    speaker: data.speaker,
    over: meeting !== null && isOver(meeting.state) ? (state.over ?? "ended") : state.over,
  };
}

function isOver(phase: MeetingPhase): boolean {
  return phase === "complete" || phase === "cancelled";
}

type EventData = Record<string, unknown>;

/** Applies one event; one that the snapshot or an earlier event already told changes nothing. */
function takeEvent(state: RoomState, id: number, kind: string, data: EventData): RoomState {
  if (id <= state.lastEventId) return state;
  const next = { ...state, lastEventId: id };
  if (kind === "person.speaking") return takeSpeaking(next, data);
  if (kind === "media.slots") return data.person === next.me ? { ...next, slots: readSlots(data.slots) } : next;
  const [family, what = ""] = kind.split(".");
  if (family === "call") return takeCall(next, data);
  if (family === "person") return takePerson(next, what, data);
  if (family === "meeting") return takeMeeting(next, what);
  return next;
}

function takeCall(state: RoomState, data: EventData): RoomState {
  const call = readCall(data);
  if (call === null) return state;
  const known = state.calls[call.call];
  // After a reconnect, events from before the snapshot may be told again.
  if (known && (call.at ?? 0) < (known.at ?? 0)) return state;
  const calls = { ...state.calls, [call.call]: { ...known, ...call } };
  const person = calledPerson(state, call);
  return { ...state, calls, people: person === null ? state.people : { ...state.people, [person.id]: person } };
}

/** Calling somebody new puts them on the list of people, and no event but the call's own says so. */
function calledPerson(state: RoomState, call: Call): Person | null {
  if (!call.person || state.people[call.person] || !isPending(call.state)) return null;
  return {
    id: call.person,
    display_name: call.display_name || call.target || "",
    number: call.number ?? null,
    role: call.role ?? "attendee",
    access: "collaborate",
    source: "call",
    present: false,
  };
}

function takePerson(state: RoomState, what: string, data: EventData): RoomState {
  const person = readPerson(data.person);
  if (person === null) return state;
  if (what !== "removed") {
    const merged = { ...state.people[person.id], ...person };
    const gone = !merged.present && state.speaker === person.id;
    const calls = what === "role_changed" ? withRole(state.calls, merged) : state.calls;
    return { ...state, calls, people: { ...state.people, [person.id]: merged }, speaker: gone ? null : state.speaker };
  }
  const { [person.id]: _removed, ...people } = state.people;
  return { ...state, people, over: person.id === state.me ? "removed" : state.over };
}

/** A role changed while the phone rings is the role that the call gives. */
function withRole(calls: RoomState["calls"], { id, role }: Person): RoomState["calls"] {
  const change = (call: Call) => (call.person === id && isPending(call.state) ? { ...call, role } : call);
  return Object.fromEntries(Object.entries(calls).map(([key, call]) => [key, change(call)]));
}

function takeMeeting(state: RoomState, what: string): RoomState {
  const phase = what as MeetingPhase;
  const meeting = state.meeting ? { ...state.meeting, state: phase } : null;
  return { ...state, meeting, over: what === "ended" ? (state.over ?? "ended") : state.over };
}

function takeSpeaking(state: RoomState, data: EventData): RoomState {
  const person = typeof data.person === "string" ? data.person : null;
  if (person === null) return { ...state, speaker: null, levels: {} };
  const level = typeof data.level === "number" ? loudness(data.level) : 0.6;
  return { ...state, speaker: person, levels: { ...state.levels, [person]: level } };
}

const LOUD_DBOV = 15;
const QUIET_DBOV = 60;

/** Maps a level in -dBov (RFC 6464: 0 is the loudest, 127 is silence) to 0..1 over the range of speech. */
export function loudness(minusDbov: number): number {
  const part = (QUIET_DBOV - Math.abs(minusDbov)) / (QUIET_DBOV - LOUD_DBOV);
  return Math.min(1, Math.max(0, part));
}
