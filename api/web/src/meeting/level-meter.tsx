import { useEffect, useRef } from "preact/hooks";
import { words } from "../words";

const BARS = 5;
/** Peak amplitude (of 1) at which the meter is full. */
const FULL = 0.25;

/** Shows that the microphone picks something up. */
export function LevelMeter({ track }: { track: MediaStreamTrack }) {
  const element = useRef<HTMLSpanElement>(null);

  useEffect(() => {
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    analyser.fftSize = 512;
    const source = context.createMediaStreamSource(new MediaStream([track]));
    source.connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    const timer = setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      const peak = samples.reduce((highest, sample) => Math.max(highest, Math.abs(sample)), 0);
      const lit = Math.min(BARS, Math.round((peak / FULL) * BARS));
      element.current?.setAttribute("data-lit", String(lit));
    }, 100);
    return () => {
      clearInterval(timer);
      source.disconnect();
      void context.close();
    };
  }, [track]);

  return (
    <span ref={element} class="level-meter" role="img" aria-label={words.join.micWorks} data-lit="0">
      {Array.from({ length: BARS }, (_, index) => (
        <span key={index} />
      ))}
    </span>
  );
}
