/** One row of the CALL list: first a plan (device, role), then the live state of its call. */

import type { Call, Role } from "../api/client";
import type { DiallerAction, DiallerRow, RowTarget } from "../state/dialler";
import { isFinal, isPending, roleOfCall } from "../state/select";
import { Avatar, IconButton, RoleTag } from "../ui/bits";
import { formatNumber } from "../ui/format";
import { RoleMenu } from "../ui/role-menu";
import { words } from "../words";
import { targetName } from "./call-tab";
import { callTone, callWords, type CallTone } from "./call-words";
import { useRoom, useRoomState } from "./context";

export function CallRow({ row }: { row: DiallerRow }) {
  const { controller } = useRoom();
  const room = useRoomState();
  const call = row.at.step === "placed" ? (room.calls[row.at.call] ?? null) : null;
  const person = call?.person ? room.people[call.person] : undefined;
  const role = roleOfCall(call, person) ?? row.role;
  const name = targetName(row.target);
  const change = (action: DiallerAction) => controller.store.dispatch({ type: "dialler", action });

  const setRole = (next: Role) => {
    change({ type: "role", key: row.key, role: next });
    if (person) void controller.setRole(person.id, next);
  };

  return (
    <li class="row call-row" data-testid="call-row" data-step={row.at.step} data-call={call?.call}>
      <Avatar name={name} icon={row.target.kind === "number" ? "phone" : undefined} />
      <span class="row-text">
        <span class="row-line">
          <span class="row-title">{name}</span>
          <RoleTag role={role} />
        </span>
        <TargetLine row={row} onChange={change} />
        <RowState row={row} call={call} />
      </span>
      <span class="row-actions row-actions-shown">
        <CallControls row={row} call={call} name={name} />
        {row.at.step !== "sending" && <RoleMenu name={name} role={role} onRole={setRole} testid="call-role" />}
        {(row.at.step === "draft" || row.at.step === "refused" || (call && isFinal(call.state))) && (
          <IconButton
            icon="remove"
            label={words.common.removeWho(name)}
            testid="call-remove"
            onClick={() => change({ type: "remove", key: row.key })}
          />
        )}
      </span>
    </li>
  );
}

interface TargetLineProps {
  row: DiallerRow;
  onChange: (action: DiallerAction) => void;
}

/** Where the call goes: a device of the user, or a number. */
function TargetLine({ row, onChange }: TargetLineProps) {
  const { target, key } = row;
  if (target.kind === "number") {
    return target.name === null ? null : <span class="row-detail">{formatNumber(target.number)}</span>;
  }
  if (target.devices === null) return <span class="row-detail">{words.call.devicesLoading}</span>;
  const open = row.at.step === "draft" || row.at.step === "refused";
  const chosen = target.devices.find((device) => device.name === target.device);
  if (!open || (chosen && target.devices.length === 1)) {
    return (
      <span class="row-detail" data-testid="call-device">
        {chosen?.label ?? target.device}
      </span>
    );
  }
  if (target.devices.length === 0)
    return <NoDevice target={target} onUseNumber={() => onChange({ type: "use-number", key })} />;
  return (
    <span class="device-choices" role="radiogroup" aria-label={words.call.devicesOf(target.name)}>
      {target.devices.map((device) => (
        <label key={device.name} class="device-choice" data-testid="call-device">
          <input
            type="radio"
            name={`device-${key}`}
            checked={target.device === device.name}
            onChange={() => onChange({ type: "choose", key, device: device.name })}
          />
          <span>{device.label}</span>
        </label>
      ))}
    </span>
  );
}

interface NoDeviceProps {
  target: Extract<RowTarget, { kind: "user" }>;
  onUseNumber: () => void;
}

function NoDevice({ target, onUseNumber }: NoDeviceProps) {
  if (target.number === null) return <span class="call-line call-line-bad">{words.call.noDeviceNoNumber}</span>;
  return (
    <span class="row-line">
      <span class="call-line call-line-bad">{words.call.noDevice}</span>
      <button type="button" class="button button-small" data-testid="use-number" onClick={onUseNumber}>
        {words.call.callNumberInstead(formatNumber(target.number))}
      </button>
    </span>
  );
}

/** The live state, read out as it changes. */
function RowState({ row, call }: { row: DiallerRow; call: Call | null }) {
  const { state, text, tone } = describe(row, call);
  return (
    <span class={`call-line call-line-${tone}`} role="status" data-testid="call-state" data-state={state}>
      {text}
    </span>
  );
}

function describe(row: DiallerRow, call: Call | null): { state: string; text: string; tone: CallTone } {
  if (call) return { state: call.state, text: callWords(call), tone: callTone(call) };
  switch (row.at.step) {
    case "refused":
      return { state: "refused", text: row.at.why || words.callStates.refused, tone: "bad" };
    case "sending":
    case "placed":
      return { state: "queued", text: words.call.sending, tone: "waiting" };
    case "draft":
      if (row.target.kind === "user" && row.target.device === null) {
        const choosing = (row.target.devices?.length ?? 0) > 1;
        return { state: "draft", text: choosing ? words.call.chooseDevice : "", tone: "neutral" };
      }
      return { state: "draft", text: words.call.ready, tone: "neutral" };
  }
}

interface CallControlsProps {
  row: DiallerRow;
  call: Call | null;
  name: string;
}

/** Cancel while it rings, hang up once it is in, call again after that. */
function CallControls({ row, call, name }: CallControlsProps) {
  const { controller } = useRoom();
  if (row.at.step !== "placed") return null;
  const { call: id } = row.at;
  if (call === null || isPending(call.state)) {
    return (
      <RowButton
        text={words.call.cancel}
        label={words.call.cancelWho(name)}
        testid="cancel-call"
        onClick={() => void controller.endCall(id)}
      />
    );
  }
  if (call.state === "joined") {
    return (
      <RowButton
        text={words.call.hangUp}
        label={words.call.hangUpWho(name)}
        testid="hang-up"
        onClick={() => void controller.endCall(id)}
      />
    );
  }
  return (
    <RowButton
      text={words.call.again}
      label={words.call.againWho(name)}
      testid="call-again"
      onClick={() => void controller.redialRow(row)}
    />
  );
}

interface RowButtonProps {
  text: string;
  label: string;
  testid: string;
  onClick: () => void;
}

function RowButton({ text, label, testid, onClick }: RowButtonProps) {
  return (
    <button type="button" class="button button-small" aria-label={label} data-testid={testid} onClick={onClick}>
      {text}
    </button>
  );
}
