/** The frames of the event stream and the one place where their shape is checked. */

import type { Call, Meeting, Person } from "./client";

export interface Snapshot {
  meeting: Meeting | null;
  people: Person[];
  calls: Call[];
  /** Per listener: which person each video slot carries. */
  slots: Record<string, (string | null)[]>;
  speaker: string | null;
}

export type Frame =
  | { type: "snapshot"; id: number; data: Snapshot }
  | { type: "event"; id: number; kind: string; data: Record<string, unknown> };

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const list = (value: unknown): Json[] => (Array.isArray(value) ? value.filter(isObject) : []);

/** Reads one frame; `null` for anything that is not one, so that a newer server cannot break an older page. */
export function readFrame(text: string): Frame | null {
  let frame: unknown;
  try {
    frame = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isObject(frame) || typeof frame.id !== "number") return null;
  const data = isObject(frame.data) ? frame.data : {};
  if (frame.type === "snapshot") return { type: "snapshot", id: frame.id, data: readSnapshot(data) };
  if (frame.type === "event" && typeof frame.kind === "string") {
    return { type: "event", id: frame.id, kind: frame.kind, data };
  }
  return null;
}

function readSnapshot(data: Json): Snapshot {
  return {
    meeting: isObject(data.meeting) ? (data.meeting as unknown as Meeting) : null,
    people: list(data.people)
      .map(readPerson)
      .filter((person) => person !== null),
    calls: list(data.calls)
      .map(readCall)
      .filter((call) => call !== null),
    slots: isObject(data.slots)
      ? Object.fromEntries(Object.entries(data.slots).map(([listener, slots]) => [listener, readSlots(slots)]))
      : {},
    speaker: typeof data.active_speaker === "string" ? data.active_speaker : null,
  };
}

export function readPerson(value: unknown): Person | null {
  if (!isObject(value) || typeof value.id !== "string") return null;
  return value as unknown as Person;
}

/** A call carries its id as `call` in events and may carry it as `id` in lists. */
export function readCall(value: unknown): Call | null {
  if (!isObject(value)) return null;
  const id = value.call ?? value.id;
  if (typeof id !== "string" || typeof value.state !== "string") return null;
  return { ...(value as unknown as Call), call: id };
}

export function readSlots(value: unknown): (string | null)[] {
  return Array.isArray(value) ? value.map((slot) => (typeof slot === "string" ? slot : null)) : [];
}
