/** One person in the grid: a picture, or an avatar; phones carry a handset sign and a ring that moves with the voice. */

import type { Person } from "../api/client";
import { isMuted, isPhone, maySend, slotOf } from "../state/select";
import { Avatar } from "../ui/bits";
import { shownName } from "../ui/format";
import { Icon } from "../ui/icons";
import { words } from "../words";
import { useRoom, useRoomState } from "./context";
import { Video } from "./video";

export function Tile({ person }: { person: Person }) {
  const { controller } = useRoom();
  const room = useRoomState();
  const phone = isPhone(person);
  const name = shownName(person);
  const mine = person.id === room.me;
  const muted = mine ? room.local.microphone !== "on" || person.muted_by_host === true : isMuted(person);
  const speaking = room.speaker === person.id && !muted;
  const shown = room.local.camera === "on" && maySend(room.meeting?.type, person);
  const slot = mine || phone ? null : slotOf(room, person.id);
  const level = speaking ? (room.levels[person.id] ?? 0) : 0;

  return (
    <div
      class={`tile${speaking ? " tile-speaking" : ""}${phone ? " tile-phone" : ""}`}
      role="listitem"
      aria-label={describe(person, { phone, speaking, muted })}
      style={{ "--level": level.toFixed(2) }}
      data-testid="tile"
      data-person={person.id}
      data-kind={phone ? "phone" : "web"}
      data-speaking={speaking}
    >
      <span class="tile-avatar">
        <span class="tile-ring" aria-hidden="true" />
        <Avatar name={name} large />
        {phone && (
          <span class="tile-handset">
            <Icon name="phone" size={18} />
          </span>
        )}
      </span>
      {mine && shown && <Video stream={controller.preview} mirrored />}
      {slot !== null && <SlotVideo slot={slot} />}
      <span class="tile-label" aria-hidden="true">
        {muted && <Icon name="mic-off" size={16} />}
        <span class="tile-name">
          {name}
          {mine && ` (${words.common.you})`}
        </span>
        {person.access === "view_only" && <Icon name="eye" size={16} />}
      </span>
    </div>
  );
}

/** Keyed by slot, so that a person who moves to another slot gets that slot's element. */
function SlotVideo({ slot }: { slot: number }) {
  const { controller } = useRoom();
  const stream = controller.media.slots[slot];
  return stream ? <Video key={slot} stream={stream} slot={slot} /> : null;
}

interface Signs {
  phone: boolean;
  speaking: boolean;
  muted: boolean;
}

function describe(person: Person, { phone, speaking, muted }: Signs): string {
  const name = shownName(person);
  const parts = [phone ? words.room.onPhone(name) : name, words.roles[person.role]];
  if (person.access === "view_only") parts.push(words.access.view_only);
  if (muted) parts.push(words.room.muted);
  if (speaking) parts.push(words.room.speaking);
  return parts.join(", ");
}
