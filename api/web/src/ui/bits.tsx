/** Small pieces used on every screen. */

import type { ComponentChildren } from "preact";
import type { Role } from "../api/client";
import { words } from "../words";
import { Icon, type IconName } from "./icons";

/** First letters of the first and last word of a name, remarks like "(guest)" apart; nothing for a bare number. */
export function initials(name: string): string {
  const parts = name
    .trim()
    .split(/\s+/)
    .filter((part) => /\p{L}/u.test(part) && !part.startsWith("("));
  const letters = [parts[0], parts.length > 1 ? parts[parts.length - 1] : undefined].map(
    (part) => part?.match(/\p{L}/u)?.[0] ?? "",
  );
  return letters.join("").toUpperCase();
}

const HUES = 6;

/** A steady colour per name, so that the same person looks the same everywhere. */
export function hueOf(name: string): number {
  let sum = 7;
  for (const char of name) sum = (sum * 31 + (char.codePointAt(0) ?? 0)) % 9973;
  return sum % HUES;
}

export function Avatar({ name, icon, large = false }: { name: string; icon?: IconName; large?: boolean }) {
  return (
    <span class={`avatar hue-${hueOf(name)}${large ? " avatar-large" : ""}`} aria-hidden="true">
      {icon ? (
        <Icon name={icon} size={large ? 38 : 18} />
      ) : (
        initials(name) || <Icon name="person" size={large ? 38 : 20} />
      )}
    </span>
  );
}

/** The tag beside a name that shows the role. */
export function RoleTag({ role }: { role: Role }) {
  return <span class={`tag tag-${role}`}>{words.roles[role]}</span>;
}

export function ViewOnlyTag() {
  return (
    <span class="tag tag-view-only">
      <Icon name="eye" size={13} />
      {words.access.view_only}
    </span>
  );
}

export function Spinner({ label = words.common.loading }: { label?: string }) {
  return (
    <span class="spinner" role="status">
      <span class="spinner-ring" aria-hidden="true" />
      <span class="visually-hidden">{label}</span>
    </span>
  );
}

/** A message about something that went wrong, read out at once. */
export function ErrorNote({ children }: { children: ComponentChildren }) {
  return (
    <p class="note note-error" role="alert">
      <Icon name="alert" size={18} />
      <span>{children}</span>
    </p>
  );
}

interface IconButtonProps {
  icon: IconName;
  label: string;
  onClick: () => void;
  testid?: string;
  danger?: boolean;
}

export function IconButton({ icon, label, onClick, testid, danger = false }: IconButtonProps) {
  return (
    <button
      type="button"
      class={`icon-button${danger ? " icon-button-danger" : ""}`}
      aria-label={label}
      title={label}
      data-testid={testid}
      onClick={onClick}
    >
      <Icon name={icon} />
    </button>
  );
}
