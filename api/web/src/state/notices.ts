/** What the user should be told when the room changes: compared, not remembered, so nothing is told twice. */

import { shownName } from "../ui/format";
import { words } from "../words";
import type { RoomState } from "./room";
import { isHost, myself } from "./select";

export function noticesBetween(before: RoomState, after: RoomState): string[] {
  if (!before.loaded || before === after) return [];
  return [...aboutMe(before, after), ...aboutCalls(before, after)];
}

function aboutMe(before: RoomState, after: RoomState): string[] {
  const was = myself(before);
  const now = myself(after);
  if (!was || !now || was === now) return [];
  const notices: string[] = [];
  if (was.role !== now.role) notices.push(words.room.nowRole(words.roles[now.role]));
  if (was.access !== now.access) {
    notices.push(now.access === "view_only" ? words.room.nowViewOnly : words.room.nowCollaborate);
  }
  if (!was.muted_by_host && now.muted_by_host) notices.push(words.room.mutedByHost);
  if (was.muted_by_host && now.muted_by_host === false) notices.push(words.room.hostUnmuted);
  return notices;
}

function aboutCalls(before: RoomState, after: RoomState): string[] {
  // Whoever looks at the CALL list sees it there.
  if (before.calls === after.calls || !isHost(after) || after.invite === "call") return [];
  return Object.values(after.calls)
    .filter((call) => call.state === "joined" && before.calls[call.call] && before.calls[call.call]?.state !== "joined")
    .map((call) => words.room.joinedCall(shownName(call)));
}
