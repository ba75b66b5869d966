/** The devices of the lobby: opened, reopened on another choice, and handed over to the meeting. */

import { useEffect, useRef, useState } from "preact/hooks";
import { type DeviceChoice, defaultDevices, listDevices, openCamera, openMicrophone } from "../media/devices";
import type { LocalTracks } from "./controller";

export interface Wanted {
  microphone: boolean;
  camera: boolean;
}

export interface Devices {
  choice: DeviceChoice;
  tracks: LocalTracks;
  wanted: Wanted;
  list: readonly MediaDeviceInfo[];
  /** Whether the browser has answered, for or against. */
  asked: boolean;
  choose: (change: Partial<DeviceChoice>) => void;
  want: (change: Partial<Wanted>) => void;
  /** Hands the open devices over: the lobby no longer closes them. */
  take: () => Promise<LocalTracks>;
  giveBack: () => void;
}

/** How long joining waits for devices that are still being opened. A question nobody answers must not hold it up. */
const PATIENCE_MS = 2_000;

export function useDevices(): Devices {
  const [choice, setChoice] = useState<DeviceChoice>(defaultDevices);
  const [wanted, setWanted] = useState<Wanted>({ microphone: true, camera: true });
  const [list, setList] = useState<MediaDeviceInfo[]>([]);
  const taken = useRef(false);
  const onAnswer = async () => setList(await listDevices());
  const microphone = useTrack(true, choice.microphone, openMicrophone, taken, onAnswer);
  const camera = useTrack(wanted.camera, choice.camera, openCamera, taken, onAnswer);

  useEffect(() => {
    if (microphone.track) microphone.track.enabled = wanted.microphone;
  }, [microphone.track, wanted.microphone]);

  return {
    choice,
    tracks: { microphone: microphone.track, camera: camera.track },
    wanted,
    list,
    asked: microphone.asked,
    choose: (change) => setChoice({ ...choice, ...change }),
    want: (change) => setWanted({ ...wanted, ...change }),
    take: async () => {
      taken.current = true;
      const opened = Promise.all([microphone.opening.current, camera.opening.current]);
      const late = new Promise<null>((resolve) => setTimeout(() => resolve(null), PATIENCE_MS));
      const tracks = await Promise.race([opened, late]);
      const [mic, cam] = tracks ?? [microphone.track, camera.track];
      // What comes after all that is not used by anybody.
      if (tracks === null)
        void opened.then((all) => all.filter((each) => each !== mic && each !== cam).forEach((each) => each?.stop()));
      if (mic) mic.enabled = wanted.microphone;
      return { microphone: mic, camera: wanted.camera ? cam : null };
    },
    giveBack: () => {
      taken.current = false;
    },
  };
}

type Ref<Value> = { current: Value };

interface Opened {
  track: MediaStreamTrack | null;
  asked: boolean;
  opening: Ref<Promise<MediaStreamTrack | null>>;
}

/** One device, open while it is wanted; closed on another choice and with the page, unless the meeting took it. */
function useTrack(
  on: boolean,
  deviceId: string,
  open: (deviceId: string) => Promise<MediaStreamTrack | null>,
  taken: Ref<boolean>,
  onAnswer: () => Promise<void>,
): Opened {
  const [track, setTrack] = useState<MediaStreamTrack | null>(null);
  const [asked, setAsked] = useState(false);
  const opening = useRef<Promise<MediaStreamTrack | null>>(Promise.resolve(null));

  useEffect(() => {
    if (!on) return;
    let gone = false;
    const mine = open(deviceId);
    opening.current = mine;
    void mine.then((opened) => {
      if (gone) return;
      setTrack(opened);
      setAsked(true);
      void onAnswer();
    });
    return () => {
      gone = true;
      if (taken.current) return;
      opening.current = Promise.resolve(null);
      setTrack(null);
      void mine.then((opened) => opened?.stop());
    };
  }, [on, deviceId]);

  return { track, asked, opening };
}
