/** Turns users and resolved texts into options of a drop-down. */

import type { Api, Match, ResolvePurpose, User } from "../api/client";
import { words } from "../words";
import type { ComboOption } from "./combobox";
import { formatNumber, joinSentences } from "./format";

/** Somebody chosen in a drop-down. */
export type Who =
  | { kind: "user"; user: User }
  | { kind: "number"; number: string; display: string }
  | { kind: "email"; email: string };

/** The drop-down's options for a text: all users for an empty one, what the server makes of it otherwise. */
export async function whoOptions(api: Api, purpose: ResolvePurpose, text: string): Promise<ComboOption<Who>[]> {
  if (text === "") return (await api.users("")).map((user) => userOption(user, purpose));
  return (await api.resolve(purpose, text)).map((match, index) => matchOption(match, index, purpose));
}

function userOption(user: User, purpose: ResolvePurpose): ComboOption<Who> {
  const devices = purpose === "call" ? (user.devices ?? []).filter((device) => device.registered) : [];
  const extension = user.extension ? words.common.extension(user.extension) : "";
  const detail = [extension, devices.length > 0 ? devices.map((device) => device.label).join(", ") : purpose === "call" ? "" : user.mail];
  return {
    key: `user-${user.id}`,
    title: user.display_name,
    detail: detail.filter(Boolean).join(" · "),
    value: { kind: "user", user },
  };
}

function matchOption(match: Match, index: number, purpose: ResolvePurpose): ComboOption<Who> {
  if (match.kind !== "refused" && match.user) {
    const number = match.user.number ?? match.number ?? null;
    return userOption({ ...match.user, number }, purpose);
  }
  const email = match.email ?? match.display;
  if (match.kind === "email" && purpose === "call") return refusal(email, words.call.useInvite, index);
  if (match.kind === "email") {
    return { key: `email-${email}`, title: email, detail: words.create.foundBy.email, icon: "mail", value: { kind: "email", email } };
  }
  if (match.kind === "number" && match.number) {
    const display = formatNumber(match.number);
    return {
      key: `number-${match.number}`,
      title: display,
      detail: words.create.foundBy.number,
      icon: "phone",
      value: { kind: "number", number: match.number, display },
    };
  }
  const reason = match.reason ? (words.causes[match.reason] ?? match.reason) : "";
  return refusal(match.display, joinSentences(reason, match.mend) || words.common.nobodyMatches(match.display), index);
}

function refusal(title: string, detail: string, index: number): ComboOption<Who> {
  return { key: `refused-${index}`, title, detail, icon: "alert", disabled: true, value: null };
}
