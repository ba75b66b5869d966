import type { Call, Person } from "../api/client";
import { isBareMail, isBareNumber, isFinal, isMuted, isPending, isPhone, maySend, roleOfCall } from "../state/select";
import { Avatar, RoleTag, ViewOnlyTag } from "../ui/bits";
import { shownName } from "../ui/format";
import { Icon } from "../ui/icons";
import { Menu, type MenuItem } from "../ui/menu";
import { ROLES } from "../ui/role-menu";
import { words } from "../words";
import { callTone, callWords } from "./call-words";
import type { Controller } from "./controller";
import { useRoom, useRoomState } from "./context";

interface PersonRowProps {
  person: Person;
  call: Call | null;
  host: boolean;
}

export function PersonRow({ person, call, host }: PersonRowProps) {
  const { controller } = useRoom();
  const room = useRoomState();
  const mine = person.id === room.me;
  const phone = isPhone(person);
  const name = shownName(person);
  const role = roleOfCall(call, person) ?? person.role;
  const muted = mine ? room.local.microphone !== "on" || person.muted_by_host === true : isMuted(person);
  const owner = room.meeting?.owner ?? null;
  const mayViewOnly =
    host && person.role !== "host" && !mine && (owner === null || owner === room.people[room.me ?? ""]?.user);

  return (
    <li class="row person-row" data-testid="person-row" data-person={person.id} data-role={person.role}>
      <Avatar name={name} icon={phone || isBareNumber(person) ? "phone" : isBareMail(person) ? "mail" : undefined} />
      <span class="row-text">
        <span class="row-line">
          <span class="row-title">
            {name}
            {mine && ` (${words.common.you})`}
          </span>
          <RoleTag role={role} />
          {person.access === "view_only" && <ViewOnlyTag />}
        </span>
        {!person.present && call && (host || isPending(call.state)) && (
          <span class="row-line">
            <CallLine call={call} />
            {host && <CallActions call={call} name={name} />}
          </span>
        )}
      </span>
      <span class="row-signs">
        {person.present && muted && <MutedSign />}
        {host && (
          <Menu
            icon="more"
            label={words.panel.menuOf(name)}
            testid="person-menu"
            items={personMenu(controller, person, {
              mine,
              mayViewOnly,
              maySend: maySend(room.meeting?.type, person),
              call,
            })}
          />
        )}
      </span>
    </li>
  );
}

/** A running call whose person is not in the list yet. */
export function StrayCallRow({ call, host }: { call: Call; host: boolean }) {
  const name = shownName({ display_name: call.display_name || call.target, number: call.number });
  return (
    <li class="row person-row" data-testid="person-row" data-call={call.call}>
      <Avatar name={name} icon="phone" />
      <span class="row-text">
        <span class="row-line">
          <span class="row-title">{name}</span>
          {call.role && <RoleTag role={call.role} />}
        </span>
        <span class="row-line">
          <CallLine call={call} />
          {host && <CallActions call={call} name={name} />}
        </span>
      </span>
    </li>
  );
}

function MutedSign() {
  return (
    <span class="muted-sign" title={words.room.muted}>
      <Icon name="mic-off" size={18} />
      <span class="visually-hidden">{words.room.muted}</span>
    </span>
  );
}

/** The state of the newest call: "Ringing", "Waiting for 1", "Busy". */
function CallLine({ call }: { call: Call | null }) {
  if (call === null || call.state === "joined") return null;
  return (
    <span class={`call-line call-line-${callTone(call)}`} data-testid="panel-call-state" data-state={call.state}>
      {callWords(call)}
    </span>
  );
}

function CallActions({ call, name }: { call: Call; name: string }) {
  const { controller } = useRoom();
  if (isPending(call.state)) {
    return (
      <button
        type="button"
        class="button button-small"
        aria-label={words.call.cancelWho(name)}
        data-testid="panel-cancel-call"
        onClick={() => void controller.endCall(call.call)}
      >
        {words.call.cancel}
      </button>
    );
  }
  if (!isFinal(call.state)) return null;
  return (
    <button
      type="button"
      class="button button-small"
      aria-label={words.call.againWho(name)}
      data-testid="panel-call-again"
      onClick={() => void controller.callAgain(call.call)}
    >
      {words.call.again}
    </button>
  );
}

interface MenuRights {
  mine: boolean;
  mayViewOnly: boolean;
  maySend: boolean;
  call: Call | null;
}

function personMenu(controller: Controller, person: Person, rights: MenuRights): MenuItem[] {
  const items: MenuItem[] = ROLES.map((role, index) => ({
    key: `role-${role}`,
    heading: index === 0 ? words.common.role : undefined,
    label: words.roles[role],
    checked: person.role === role,
    onSelect: () => void controller.setRole(person.id, role),
  }));
  const reachable = Boolean(person.user ?? person.number);
  if (!person.present && reachable && !(rights.call && isPending(rights.call.state))) {
    items.push({
      key: "call",
      label: words.panel.call,
      icon: "phone",
      onSelect: () => void controller.callPerson(person),
    });
  }
  if (person.present && !rights.mine && rights.maySend) {
    const muted = person.muted_by_host === true;
    items.push({
      key: "mute",
      label: muted ? words.panel.unmute : words.panel.mute,
      icon: muted ? "mic" : "mic-off",
      onSelect: () => void controller.setMuted(person, !muted),
    });
  }
  if (rights.mayViewOnly) {
    const on = person.access === "view_only";
    items.push({
      key: "view-only",
      label: on ? words.panel.viewOnlyOff : words.panel.viewOnlyOn,
      icon: "eye",
      onSelect: () => void controller.setAccess(person.id, on ? "collaborate" : "view_only"),
    });
  }
  if (rights.call?.state === "joined" && person.present) {
    const { call } = rights.call;
    items.push({
      key: "hang-up",
      label: words.panel.hangUp,
      icon: "leave",
      onSelect: () => void controller.endCall(call),
    });
  }
  if (!rights.mine) {
    items.push({
      key: "remove",
      label: words.panel.remove,
      icon: "remove",
      danger: true,
      onSelect: () => void controller.remove(person.id),
    });
  }
  return items;
}
