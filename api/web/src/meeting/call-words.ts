import type { Call } from "../api/client";
import { isFinal } from "../state/select";
import { words } from "../words";

export type CallTone = "waiting" | "good" | "bad" | "neutral";

/** The plain words of a call's state, or why it ended; the server's sentence for a cause this page does not know. */
export function callWords(call: Call): string {
  if (call.state !== "failed" && call.state !== "refused" && call.state !== "ended")
    return words.callStates[call.state];
  return (call.cause && words.causes[call.cause]) || call.words || words.callStates[call.state];
}

export function callTone(call: Call): CallTone {
  if (call.state === "joined") return "good";
  if (!isFinal(call.state)) return "waiting";
  return call.state === "failed" || call.state === "refused" ? "bad" : "neutral";
}
