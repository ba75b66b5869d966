/** The step before a meeting: name for guests, devices with a picture and a level, and the button that joins. */

import { useEffect, useRef, useState } from "preact/hooks";
import { canChooseSpeaker, type DeviceChoice } from "../media/devices";
import { Avatar, ErrorNote } from "../ui/bits";
import { errorWords } from "../ui/errors";
import { Icon } from "../ui/icons";
import { words } from "../words";
import type { LocalTracks } from "./controller";
import { LevelMeter } from "./level-meter";
import { type Devices, useDevices } from "./use-devices";
import { Video } from "./video";

interface LobbyProps {
  title: string;
  /** Who joins, or `null` for a guest who says so here. */
  name: string | null;
  joinAs: string;
  /** Joins; a rejection is shown here and the user may try again. */
  onJoin: (name: string | undefined, devices: DeviceChoice, tracks: LocalTracks) => Promise<void>;
}

export function Lobby({ title, name, joinAs, onJoin }: LobbyProps) {
  const [guestName, setGuestName] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const devices = useDevices();

  const submit = async (event: Event) => {
    event.preventDefault();
    if (name === null && guestName.trim() === "") return setProblem(words.join.nameMissing);
    setBusy(true);
    setProblem(null);
    try {
      await onJoin(name === null ? guestName.trim() : undefined, devices.choice, await devices.take());
    } catch (error) {
      devices.giveBack();
      setProblem(errorWords(error));
      setBusy(false);
    }
  };

  return (
    <form class="lobby" onSubmit={submit} noValidate>
      <div class="lobby-preview">
        <Preview devices={devices} name={name ?? guestName} />
      </div>
      <div class="lobby-side stack">
        <div>
          <p class="eyebrow">{words.join.eyebrow}</p>
          <h1>{title}</h1>
          {name !== null && <p class="hint">{joinAs}</p>}
        </div>
        {name === null && (
          <label class="labelled">
            <span>{words.join.name}</span>
            <input
              class="field"
              autofocus
              autocomplete="name"
              maxLength={60}
              data-testid="join-name"
              value={guestName}
              onInput={(event) => setGuestName(event.currentTarget.value)}
            />
          </label>
        )}
        <DevicePickers devices={devices} />
        {problem && <ErrorNote>{problem}</ErrorNote>}
        <button type="submit" class="button button-primary button-wide" data-testid="join-button" disabled={busy}>
          {busy ? words.join.joining : words.join.submit}
        </button>
      </div>
    </form>
  );
}

function Preview({ devices, name }: { devices: Devices; name: string }) {
  const stream = useRef(new MediaStream());
  const { camera, microphone } = devices.tracks;
  useEffect(() => {
    for (const old of stream.current.getTracks()) stream.current.removeTrack(old);
    if (camera) stream.current.addTrack(camera);
  }, [camera]);

  return (
    <div class="preview">
      <span class="tile-avatar">
        {name.trim() === "" ? <Icon name="camera-off" size={48} /> : <Avatar name={name} large />}
      </span>
      {camera && <Video key={camera.id} stream={stream.current} mirrored />}
      {!camera && devices.asked && <span class="preview-note">{words.join.cameraOff}</span>}
      <div class="preview-bar">
        <PreviewToggle
          on={devices.wanted.microphone && microphone !== null}
          icons={["mic", "mic-off"]}
          labels={[words.room.muteSelf, words.room.unmuteSelf]}
          testid="lobby-mic"
          onClick={() => devices.want({ microphone: !devices.wanted.microphone })}
        />
        <PreviewToggle
          on={devices.wanted.camera && camera !== null}
          icons={["camera", "camera-off"]}
          labels={[words.room.cameraOff, words.room.cameraOn]}
          testid="lobby-camera"
          onClick={() => devices.want({ camera: !devices.wanted.camera })}
        />
        {microphone && devices.wanted.microphone && <LevelMeter track={microphone} />}
      </div>
    </div>
  );
}

interface PreviewToggleProps {
  on: boolean;
  icons: readonly ["mic" | "camera", "mic-off" | "camera-off"];
  labels: readonly [string, string];
  testid: string;
  onClick: () => void;
}

function PreviewToggle({ on, icons, labels, testid, onClick }: PreviewToggleProps) {
  const label = on ? labels[0] : labels[1];
  return (
    <button
      type="button"
      class={`round-button${on ? "" : " round-button-off"}`}
      aria-pressed={on}
      aria-label={label}
      title={label}
      data-testid={testid}
      onClick={onClick}
    >
      <Icon name={on ? icons[0] : icons[1]} />
    </button>
  );
}

function DevicePickers({ devices }: { devices: Devices }) {
  const { choice, choose, list, tracks, asked } = devices;
  return (
    <>
      {!asked && <p class="hint">{words.join.askDevices}</p>}
      {asked && tracks.microphone === null && <p class="hint hint-warning">{words.join.noDevices}</p>}
      <Picker
        label={words.join.microphone}
        kind="audioinput"
        list={list}
        value={choice.microphone}
        onValue={(microphone) => choose({ microphone })}
      />
      <Picker
        label={words.join.camera}
        kind="videoinput"
        list={list}
        value={choice.camera}
        onValue={(camera) => choose({ camera })}
      />
      {canChooseSpeaker && (
        <Picker
          label={words.join.speaker}
          kind="audiooutput"
          list={list}
          value={choice.speaker}
          onValue={(speaker) => choose({ speaker })}
        />
      )}
    </>
  );
}

interface PickerProps {
  label: string;
  kind: MediaDeviceKind;
  list: readonly MediaDeviceInfo[];
  value: string;
  onValue: (deviceId: string) => void;
}

function Picker({ label, kind, list, value, onValue }: PickerProps) {
  const devices = list.filter((device) => device.kind === kind && device.deviceId !== "default");
  return (
    <label class="labelled">
      <span>{label}</span>
      <select
        class="field"
        value={value}
        disabled={devices.length === 0}
        onChange={(event) => onValue(event.currentTarget.value)}
      >
        <option value="">{devices.length === 0 ? words.join.noDevice : words.join.systemDefault}</option>
        {devices.map((device) => (
          <option key={device.deviceId} value={device.deviceId}>
            {device.label || label}
          </option>
        ))}
      </select>
    </label>
  );
}
