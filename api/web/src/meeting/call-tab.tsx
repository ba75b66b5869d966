/** CALL: choose people's devices or type numbers, give each a role, press once, and watch every call. */

import { useState } from "preact/hooks";
import type { Me } from "../api/client";
import { alreadyListed, needsDevice, readyToCall, type RowTarget } from "../state/dialler";
import type { RoomState } from "../state/room";
import { present } from "../state/select";
import { Combobox, type ComboOption } from "../ui/combobox";
import { formatNumber } from "../ui/format";
import { Icon } from "../ui/icons";
import { type Who, whoOptions } from "../ui/who";
import { words } from "../words";
import { CallRow } from "./call-row";
import { useRoom, useRoomState } from "./context";

export function CallTab() {
  const { controller, user } = useRoom();
  const room = useRoomState();
  const [message, setMessage] = useState("");
  const { rows } = room.dialler;
  const ready = rows.filter(readyToCall).length;
  const sending = rows.some((row) => row.at.step === "sending");

  const add = (who: Who) => {
    const target = rowTarget(who);
    if (target === null) return;
    const identity = target.kind === "user" ? { user: target.user } : { number: target.number };
    if (alreadyListed(rows, room.calls, identity)) return setMessage(words.common.alreadyInList(targetName(target)));
    setMessage("");
    void controller.addToCallList(target);
  };

  const load = async (text: string) =>
    (await whoOptions(controller.api, "call", text)).map((option) => greyIfInside(option, room));

  return (
    <div class="call-tab">
      <Combobox
        label={words.call.prompt}
        placeholder={words.call.prompt}
        testid="call-input"
        load={load}
        onChoose={add}
        message={message}
      />
      {rows.length === 0 ? (
        <EmptyList />
      ) : (
        <ul class="rows call-rows">
          {rows.map((row) => (
            <CallRow key={row.key} row={row} />
          ))}
        </ul>
      )}
      <footer class="call-foot">
        <CallerIdLine user={user} />
        <button
          type="button"
          class="button button-primary button-call"
          data-testid="call-button"
          disabled={ready === 0 || sending}
          title={rows.some(needsDevice) ? words.call.chooseDevice : undefined}
          onClick={() => void controller.pressCall()}
        >
          <Icon name="phone" />
          {words.call.button}
          {ready > 1 && <span class="count">{ready}</span>}
        </button>
      </footer>
    </div>
  );
}

function EmptyList() {
  return (
    <div class="empty-panel">
      <Icon name="phone" size={36} />
      <p class="row-title">{words.call.empty}</p>
      <p class="hint">{words.call.press1}</p>
    </div>
  );
}

function CallerIdLine({ user }: { user: Me | null }) {
  if (user === null) return <p class="hint" />;
  const number = user.caller_id?.number;
  return (
    <p class={number ? "hint" : "hint hint-warning"} data-testid="caller-id-line">
      {number ? words.call.placedFrom(formatNumber(number)) : words.call.noCallerId}
    </p>
  );
}

function rowTarget(who: Who): RowTarget | null {
  if (who.kind === "email") return null;
  if (who.kind === "number") return { kind: "number", number: who.number, name: who.name ?? null };
  const { id, display_name, number } = who.user;
  return {
    kind: "user",
    user: id,
    name: display_name,
    number: number ?? null,
    devices: null,
    device: who.device ?? null,
  };
}

export function targetName(target: RowTarget): string {
  return target.kind === "user" ? target.name : (target.name ?? formatNumber(target.number));
}

/** People who are in already are shown, but are not to be called again (A37, I36). */
function greyIfInside(option: ComboOption<Who>, room: RoomState): ComboOption<Who> {
  const who = option.value;
  if (who === null || who.kind === "email") return option;
  const inside = present(room).some((person) =>
    who.kind === "user" ? person.user === who.user.id : person.number === who.number,
  );
  return inside ? { ...option, disabled: true, detail: words.common.inTheMeeting } : option;
}
