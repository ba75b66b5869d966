/** The way into a meeting and out again: lobby, room, and the page after it. */

import { useEffect, useState } from "preact/hooks";
import type { Api, Me, Meeting } from "../api/client";
import { RoomContext } from "../meeting/context";
import { Controller, type LocalTracks } from "../meeting/controller";
import { Lobby } from "../meeting/lobby";
import { RoomView } from "../meeting/room";
import type { DeviceChoice } from "../media/devices";
import type { Over } from "../state/room";
import { useStore } from "../state/store";
import { Icon } from "../ui/icons";
import { Link } from "../ui/router";
import { Shell } from "../ui/shell";
import { words } from "../words";

/** Whom the meeting is entered as, once the lobby is passed. */
export interface Entry {
  api: Api;
  meeting: Meeting;
}

interface LiveProps {
  title: string;
  user: Me | null;
  /** Who joins; `null` asks for a name. */
  name: string | null;
  joinAs: string;
  /** Gets the right to enter, with the name a guest has given. */
  admit: (name: string | undefined) => Promise<Entry>;
}

export function Live({ title, user, name, joinAs, admit }: LiveProps) {
  const [controller, setController] = useState<Controller | null>(null);

  const join = async (guestName: string | undefined, devices: DeviceChoice, tracks: LocalTracks) => {
    const entry = await admit(guestName);
    const next = new Controller(entry.api, entry.meeting, devices, tracks);
    try {
      await next.enter();
    } catch (error) {
      next.disconnect();
      throw error;
    }
    setController(next);
  };

  if (controller === null) {
    return (
      <Shell title={title} me={user}>
        <Lobby title={title} name={name} joinAs={joinAs} onJoin={join} />
      </Shell>
    );
  }
  return <Running controller={controller} user={user} onAgain={() => setController(null)} />;
}

interface RunningProps {
  controller: Controller;
  user: Me | null;
  onAgain: () => void;
}

function Running({ controller, user, onAgain }: RunningProps) {
  const { over } = useStore(controller.store);
  useEffect(() => {
    const stop = () => controller.stop();
    addEventListener("pagehide", stop);
    return () => {
      removeEventListener("pagehide", stop);
      stop();
    };
  }, [controller]);

  if (over !== null) return <After over={over} title={controller.meeting.title} user={user} onAgain={onAgain} />;
  return (
    <RoomContext.Provider value={{ controller, user }}>
      <RoomView />
    </RoomContext.Provider>
  );
}

interface AfterProps {
  over: Over;
  title: string;
  user: Me | null;
  onAgain: () => void;
}

const OVER_WORDS: Record<Over, string> = {
  ended: words.room.ended,
  removed: words.room.removed,
  left: words.room.left,
  lost: words.room.lost,
  replaced: words.room.replaced,
};

function After({ over, title, user, onAgain }: AfterProps) {
  return (
    <Shell title={title} me={user} narrow>
      <div class="empty-panel" data-testid="after-meeting" data-over={over}>
        <Icon name="leave" size={40} />
        <h1>{OVER_WORDS[over]}</h1>
        <p class="hint">{title}</p>
        <div class="button-row">
          {(over === "left" || over === "lost" || over === "replaced") && (
            <button type="button" class="button" onClick={onAgain}>
              {words.room.rejoin}
            </button>
          )}
          {user && (
            <Link to="/" class="button button-primary">
              {words.common.toStart}
            </Link>
          )}
        </div>
      </div>
    </Shell>
  );
}
