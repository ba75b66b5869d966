import { ApiError } from "../api/client";
import { words } from "../words";
import { joinSentences } from "./format";

/** What the user reads when a request failed: the server's own words, with how to mend it. */
export function errorWords(error: unknown): string {
  if (!(error instanceof ApiError)) return words.common.wentWrong;
  if (error.status === 0) return words.common.unreachable;
  const { detail, title, mend } = error.problem;
  return joinSentences(detail ?? title, mend);
}
