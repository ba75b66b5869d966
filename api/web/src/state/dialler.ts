/** The list in the CALL tab: who is to be called, as what, and what became of each press of CALL. */

import type { Access, Call, CallReceipt, CallTarget, Device, Person, Role } from "../api/client";
import { joinSentences } from "../ui/format";
import { words } from "../words";
import { isFinal } from "./select";

export type RowTarget =
  | {
      kind: "user";
      user: string;
      name: string;
      /** The user's own number, offered when no device is registered. */
      number: string | null;
      /** `null` while they are being looked up. */
      devices: readonly Device[] | null;
      device: string | null;
    }
  | { kind: "number"; number: string; name: string | null };

export type RowStep =
  { step: "draft" } | { step: "sending" } | { step: "placed"; call: string } | { step: "refused"; why: string };

export interface DiallerRow {
  key: string;
  target: RowTarget;
  role: Role;
  access: Access;
  at: RowStep;
}

export interface Dialler {
  rows: readonly DiallerRow[];
  /** The key of the press under way, kept until the server has answered it. */
  pressKey: string | null;
}

export type DiallerAction =
  | { type: "add"; key: string; target: RowTarget; role?: Role }
  | { type: "devices"; key: string; devices: readonly Device[] }
  | { type: "choose"; key: string; device: string }
  | { type: "use-number"; key: string }
  | { type: "role"; key: string; role: Role }
  | { type: "remove"; key: string }
  | { type: "press"; pressKey: string }
  | { type: "answered"; keys: readonly string[]; receipts: readonly CallReceipt[] }
  /** The server refused the press as a whole. */
  | { type: "rejected" }
  /** No answer: whether the press arrived is unknown, so its key is kept for the next try. */
  | { type: "unreachable" }
  | { type: "again"; key: string; call: string };

export const emptyDialler: Dialler = { rows: [], pressKey: null };

export function reduceDialler(state: Dialler, action: DiallerAction): Dialler {
  switch (action.type) {
    case "add": {
      const row: DiallerRow = {
        key: action.key,
        target: action.target,
        role: action.role ?? "attendee",
        access: "collaborate",
        at: { step: "draft" },
      };
      return { pressKey: null, rows: [...state.rows, row] };
    }
    case "devices":
      return changeRow(state, action.key, (row) => ({ ...row, target: withDevices(row.target, action.devices) }));
    case "choose":
      return changeRow(state, action.key, (row) =>
        row.target.kind === "user" ? { ...row, target: { ...row.target, device: action.device } } : row,
      );
    case "use-number":
      return changeRow(state, action.key, (row) => ({ ...row, target: numberInstead(row.target) }));
    case "role":
      return changeRow(state, action.key, (row) => ({ ...row, role: action.role }));
    case "remove":
      return { pressKey: null, rows: state.rows.filter((row) => row.key !== action.key) };
    case "press":
      return {
        pressKey: action.pressKey,
        rows: state.rows.map((row) => (readyToCall(row) ? { ...row, at: { step: "sending" } } : row)),
      };
    case "answered":
      return { pressKey: null, rows: state.rows.map((row) => settle(row, action.keys, action.receipts)) };
    case "rejected":
      return { pressKey: null, rows: state.rows.map(backToDraft) };
    case "unreachable":
      return { ...state, rows: state.rows.map(backToDraft) };
    case "again":
      return changeRow(state, action.key, (row) => ({ ...row, at: { step: "placed", call: action.call } }));
  }
}

/** A changed list is another request, so it must not go out under a key that was kept for the old one. */
function changeRow(state: Dialler, key: string, change: (row: DiallerRow) => DiallerRow): Dialler {
  return { pressKey: null, rows: state.rows.map((row) => (row.key === key ? change(row) : row)) };
}

/** One registered device is chosen by itself, several wait for a choice. */
function withDevices(target: RowTarget, devices: readonly Device[]): RowTarget {
  if (target.kind !== "user") return target;
  const only = devices.length === 1 ? (devices[0]?.name ?? null) : null;
  const kept = devices.some((device) => device.name === target.device) ? target.device : only;
  return { ...target, devices, device: kept };
}

function backToDraft(row: DiallerRow): DiallerRow {
  return row.at.step === "sending" ? { ...row, at: { step: "draft" } } : row;
}

function numberInstead(target: RowTarget): RowTarget {
  return target.kind === "user" && target.number !== null
    ? { kind: "number", number: target.number, name: target.name }
    : target;
}

/** Receipts come in the order of the targets. */
function settle(row: DiallerRow, keys: readonly string[], receipts: readonly CallReceipt[]): DiallerRow {
  const receipt = receipts[keys.indexOf(row.key)];
  if (receipt === undefined) return row.at.step === "sending" ? { ...row, at: { step: "draft" } } : row;
  if (receipt.state === "refused" || receipt.id === undefined) {
    return { ...row, at: { step: "refused", why: refusalWords(receipt) } };
  }
  return { ...row, at: { step: "placed", call: receipt.id } };
}

/** Why a target was refused, and how to mend it. */
export function refusalWords(receipt: CallReceipt): string {
  const reason = receipt.detail ?? (receipt.reason && words.causes[receipt.reason]) ?? receipt.reason;
  return joinSentences(reason, receipt.mend);
}

/** A row that the next press of CALL will dial. */
export function readyToCall(row: DiallerRow): boolean {
  const open = row.at.step === "draft" || row.at.step === "refused";
  return open && (row.target.kind === "number" || row.target.device !== null);
}

/** A row that CALL cannot dial until the user has chosen a device. */
export function needsDevice(row: DiallerRow): boolean {
  return row.target.kind === "user" && row.target.device === null;
}

export function callTarget(row: DiallerRow): CallTarget | null {
  const { target, role, access } = row;
  if (target.kind === "user")
    return target.device === null ? null : { user: target.user, device: target.device, role, access };
  return { number: target.number, role, access, ...(target.name === null ? {} : { name: target.name }) };
}

/** How a person of the meeting is called: on a device of theirs, or by their number; `null` if there is neither. */
export function personTarget(person: Person): RowTarget | null {
  const number = person.number ?? null;
  const name = person.display_name;
  if (person.user) return { kind: "user", user: person.user, name, number, devices: null, device: null };
  return number === null ? null : { kind: "number", number, name: name === number ? null : name };
}

/** Whether this user or number is in the list already, waiting or being called. */
export function alreadyListed(
  rows: readonly DiallerRow[],
  calls: Readonly<Record<string, Call>>,
  who: { user: string } | { number: string },
): boolean {
  return rows.some((row) => {
    if (row.at.step === "placed") {
      const call = calls[row.at.call];
      if (call && isFinal(call.state)) return false;
    }
    return "user" in who
      ? row.target.kind === "user" && row.target.user === who.user
      : row.target.kind === "number" && row.target.number === who.number;
  });
}
