/** Turns users and resolved texts into options of a drop-down. */

import type { Api, Match, ResolvePurpose, User } from "../api/client";
import { words } from "../words";
import type { ComboOption } from "./combobox";
import { formatNumber, joinSentences } from "./format";

/** Somebody chosen in a drop-down. */
export type Who =
  /** `device` is set if one was typed. */
  | { kind: "user"; user: User; device?: string | null }
  | { kind: "number"; number: string; display: string; name?: string }
  | { kind: "email"; email: string };

/** The drop-down's options for a text: all users for an empty one, what the server makes of it otherwise. */
export async function whoOptions(api: Api, purpose: ResolvePurpose, text: string): Promise<ComboOption<Who>[]> {
  if (text === "") return (await api.users("")).map((user) => userOption(user, purpose));
  return (await api.resolve(purpose, text)).map((match, index) => matchOption(match, index, purpose));
}

function userOption(user: User, purpose: ResolvePurpose, device: string | null = null): ComboOption<Who> {
  const devices = purpose === "call" ? (user.devices ?? []).filter((each) => each.registered) : [];
  const extension = user.extension ? words.common.extension(user.extension) : "";
  const reach = purpose === "call" ? devices.map((each) => each.label).join(", ") : user.mail;
  return {
    key: `user-${user.id}`,
    title: user.display_name,
    detail: [extension, reach].filter(Boolean).join(" · "),
    value: { kind: "user", user, device },
  };
}

function matchOption(match: Match, index: number, purpose: ResolvePurpose): ComboOption<Who> {
  if (match.kind === "refused" || match.kind === "unknown") return refusal(match.display, whyNot(match), index);
  // A colleague's outside number is the colleague to invite, and that number to call.
  const number = match.number ?? null;
  if (match.user && !(match.kind === "number" && purpose === "call")) {
    return userOption({ ...match.user, number: match.user.number ?? number }, purpose, match.device);
  }
  if (match.kind === "email") return emailOption(match.email ?? match.display, index, purpose);
  return number === null
    ? refusal(match.display, whyNot(match), index)
    : numberOption(number, match.user?.display_name);
}

function emailOption(email: string, index: number, purpose: ResolvePurpose): ComboOption<Who> {
  if (purpose === "call") return refusal(email, words.call.useInvite, index);
  return {
    key: `email-${email}`,
    title: email,
    detail: words.create.foundBy.email,
    icon: "mail",
    value: { kind: "email", email },
  };
}

function numberOption(number: string, name: string | undefined): ComboOption<Who> {
  const display = formatNumber(number);
  return {
    key: `number-${number}`,
    title: display,
    detail: name ?? words.create.foundBy.number,
    icon: "phone",
    value: { kind: "number", number, display, name },
  };
}

function whyNot({ display, reason, detail, mend }: Match): string {
  return (
    joinSentences(detail ?? (reason && words.causes[reason]) ?? reason, mend) || words.common.nobodyMatches(display)
  );
}

function refusal(title: string, detail: string, index: number): ComboOption<Who> {
  return { key: `refused-${index}`, title, detail, icon: "alert", disabled: true, value: null };
}
