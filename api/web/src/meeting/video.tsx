/** Video elements for the user's own camera and for the received slots. */

import { useEffect, useRef, useState } from "preact/hooks";

interface VideoProps {
  stream: MediaStream;
  mirrored?: boolean;
  slot?: number;
}

const STALLED_AFTER_MS = 2_500;

/** Plays a stream; hides itself while no new picture comes, so that what lies behind it (the avatar) shows. */
export function Video({ stream, mirrored = false, slot }: VideoProps) {
  const element = useRef<HTMLVideoElement>(null);
  const live = useFrames(element);

  useEffect(() => {
    if (element.current && element.current.srcObject !== stream) element.current.srcObject = stream;
    element.current?.play().catch(() => undefined); // muted video may always play; a later frame starts it otherwise
  }, [stream]);

  return (
    <video
      ref={element}
      class={`video${mirrored ? " video-mirrored" : ""}${live ? " video-live" : ""}`}
      autoplay
      muted
      playsInline
      disablePictureInPicture
      data-testid={slot === undefined ? "own-video" : "video-slot"}
      data-slot={slot}
      data-live={live}
      aria-hidden="true"
    />
  );
}

/** Whether frames have been drawn lately. A camera that is switched off sends nothing and says nothing. */
function useFrames(element: { current: HTMLVideoElement | null }): boolean {
  const [live, setLive] = useState(false);
  useEffect(() => {
    const video = element.current;
    if (!video) return;
    if (!("requestVideoFrameCallback" in video)) return setLive(true);
    let last = -Infinity;
    let handle = 0;
    const onFrame = (now: number) => {
      last = now;
      setLive(true);
      handle = video.requestVideoFrameCallback(onFrame);
    };
    handle = video.requestVideoFrameCallback(onFrame);
    const timer = setInterval(() => {
      if (!document.hidden && performance.now() - last > STALLED_AFTER_MS) setLive(false);
    }, 500);
    return () => {
      clearInterval(timer);
      video.cancelVideoFrameCallback(handle);
    };
  }, []);
  return live;
}
