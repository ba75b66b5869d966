/** The active meeting. */

import { useEffect, useRef, useState } from "preact/hooks";
import { formatMeetingNumber } from "../ui/format";
import { Icon, Logo } from "../ui/icons";
import { Dialog } from "../ui/dialog";
import { useTitle } from "../ui/shell";
import { words } from "../words";
import { Bar } from "./bar";
import { useRoom, useRoomState } from "./context";
import { Grid } from "./grid";
import { InviteDialog } from "./invite-dialog";
import { PeoplePanel } from "./people-panel";

const WIDE = "(min-width: 900px)";

export function RoomView() {
  const { controller } = useRoom();
  const room = useRoomState();
  const [people, setPeople] = useState(() => matchMedia(WIDE).matches);
  const [ending, setEnding] = useState(false);
  useTitle(controller.meeting.title);

  return (
    <div class="room" data-testid="room" data-media={room.local.media}>
      <header class="room-head">
        <Logo size={26} />
        <h1>{controller.meeting.title}</h1>
        <span class="room-number">{formatMeetingNumber(controller.meeting.number)}</span>
      </header>
      <Banners />
      <main class="room-body">
        <Grid />
        {people && <PeoplePanel onClose={() => setPeople(false)} />}
      </main>
      <Bar
        peopleOpen={people}
        onPeople={() => setPeople(!people)}
        onInvite={() => controller.openInvite("join-info")}
        onEnd={() => setEnding(true)}
      />
      <MixAudio />
      {room.invite && <InviteDialog tab={room.invite} />}
      {ending && <EndDialog onClose={() => setEnding(false)} />}
    </div>
  );
}

/** What stands between the user and the meeting: a lost connection, or sound the browser holds back. */
function Banners() {
  const { controller } = useRoom();
  const { online, loaded, local } = useRoomState();
  return (
    <div class="banners" role="status">
      {loaded && !online && <p class="banner">{words.room.reconnecting}</p>}
      {online && local.media === "lost" && <p class="banner">{words.room.mediaReconnecting}</p>}
      {local.soundBlocked && (
        <p class="banner">
          {words.room.soundBlocked}
          <button type="button" class="button button-small" onClick={() => controller.soundBlocked(false)}>
            <Icon name="sound" size={18} />
            {words.room.turnOnSound}
          </button>
        </p>
      )}
    </div>
  );
}

/** The one audio element: everybody else's voice, as the server mixes it. */
function MixAudio() {
  const { controller } = useRoom();
  const { soundBlocked } = useRoomState().local;
  const element = useRef<HTMLAudioElement>(null);

  useEffect(() => {
    const audio = element.current;
    if (!audio || soundBlocked) return;
    if (audio.srcObject !== controller.media.mix) audio.srcObject = controller.media.mix;
    audio.play().catch((error: unknown) => {
      if (error instanceof DOMException && error.name === "NotAllowedError") controller.soundBlocked(true);
    });
  }, [soundBlocked]);

  useEffect(() => {
    const { speaker } = controller.devices;
    if (speaker !== "") element.current?.setSinkId(speaker).catch(() => undefined); // a speaker unplugged since: the default plays
  }, []);

  return <audio ref={element} autoplay data-testid="mix-audio" />;
}

function EndDialog({ onClose }: { onClose: () => void }) {
  const { controller } = useRoom();
  const [busy, setBusy] = useState(false);
  const end = async () => {
    setBusy(true);
    await controller.end();
    setBusy(false);
  };
  return (
    <Dialog title={words.room.endTitle} onClose={onClose} small>
      <p>{words.room.endText}</p>
      <div class="button-row button-row-end">
        <button type="button" class="button" onClick={onClose}>
          {words.common.cancel}
        </button>
        <button type="button" class="button button-danger" data-testid="end-confirm" disabled={busy} onClick={end}>
          {words.room.endConfirm}
        </button>
      </div>
    </Dialog>
  );
}
