import { isHost, maySend, myself } from "../state/select";
import { Icon, type IconName } from "../ui/icons";
import { words } from "../words";
import { useRoom, useRoomState } from "./context";

interface BarProps {
  peopleOpen: boolean;
  onPeople: () => void;
  onInvite: () => void;
  onEnd: () => void;
}

export function Bar({ peopleOpen, onPeople, onInvite, onEnd }: BarProps) {
  const { controller } = useRoom();
  const room = useRoomState();
  const me = myself(room);
  const host = isHost(room);
  const silent = me !== null && !maySend(room.meeting?.type, me);
  const micOn = room.local.microphone === "on";
  const cameraOn = room.local.camera === "on";
  const why = me?.access === "view_only" ? words.room.viewOnly : words.room.attendeeOnly;
  const micLabel = silent
    ? why
    : me?.muted_by_host
      ? words.room.mutedByHost
      : micOn
        ? words.room.muteSelf
        : words.room.unmuteSelf;

  return (
    <footer class="bar">
      <BarButton
        icon={micOn && !silent && !me?.muted_by_host ? "mic" : "mic-off"}
        text={words.room.mic}
        label={micLabel}
        testid="mic-toggle"
        pressed={micOn && !silent}
        off={!micOn || silent || me?.muted_by_host === true}
        disabled={silent}
        onClick={() => void controller.toggleMicrophone()}
      />
      <BarButton
        icon={cameraOn && !silent ? "camera" : "camera-off"}
        text={words.room.camera}
        label={silent ? why : cameraOn ? words.room.cameraOff : words.room.cameraOn}
        testid="camera-toggle"
        pressed={cameraOn}
        off={!cameraOn || silent}
        disabled={silent}
        onClick={() => void controller.toggleCamera()}
      />
      <BarButton
        icon="people"
        text={words.room.people}
        testid="people-toggle"
        pressed={peopleOpen}
        onClick={onPeople}
      />
      {host && <BarButton icon="invite" text={words.room.invite} testid="invite-button" accent onClick={onInvite} />}
      <span class="bar-gap" />
      <BarButton icon="leave" text={words.room.leave} testid="leave" danger onClick={() => controller.leave()} />
      {host && (
        <BarButton
          icon="close"
          text={words.room.end}
          label={words.room.endForAll}
          testid="end-meeting"
          onClick={onEnd}
        />
      )}
    </footer>
  );
}

interface BarButtonProps {
  icon: IconName;
  text: string;
  label?: string;
  testid: string;
  pressed?: boolean;
  off?: boolean;
  accent?: boolean;
  danger?: boolean;
  disabled?: boolean;
  onClick: () => void;
}

function BarButton({ icon, text, label, testid, pressed, off, accent, danger, disabled, onClick }: BarButtonProps) {
  const looks = [off && "bar-button-off", accent && "bar-button-accent", danger && "bar-button-danger"].filter(Boolean);
  return (
    <button
      type="button"
      class={["bar-button", ...looks].join(" ")}
      aria-label={label ?? text}
      aria-pressed={pressed}
      title={label ?? text}
      disabled={disabled}
      data-testid={testid}
      onClick={onClick}
    >
      <span class="bar-icon">
        <Icon name={icon} size={22} />
      </span>
      <span class="bar-text" aria-hidden="true">
        {text}
      </span>
    </button>
  );
}
