import type { Call } from "../api/client";
import { isFinal } from "../state/select";
import { words } from "../words";

export type CallTone = "waiting" | "good" | "bad" | "neutral";

/** The plain words of a call's state: the server's sentence where it ended, ours while it runs. */
export function callWords(call: Call): string {
  if (call.state === "failed" || call.state === "refused" || call.state === "ended") {
    return call.words || words.callStates[call.state];
  }
  return words.callStates[call.state];
}

export function callTone(call: Call): CallTone {
  if (call.state === "joined") return "good";
  if (!isFinal(call.state)) return "waiting";
  return call.state === "failed" || call.state === "refused" ? "bad" : "neutral";
}
