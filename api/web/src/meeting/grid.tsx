import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { isHost, present } from "../state/select";
import { Spinner } from "../ui/bits";
import { words } from "../words";
import { useRoomState } from "./context";
import { fitTiles } from "./layout";
import { Tile } from "./tile";

const GAP = 12;

export function Grid() {
  const room = useRoomState();
  const people = present(room);
  const box = useRef<HTMLDivElement>(null);
  const size = useBoxSize(box);
  const alone = room.loaded && people.length <= 1;
  const tile = fitTiles(size.width, size.height, Math.max(1, people.length), GAP);

  return (
    <div class="stage">
      {alone && (
        <p class="stage-hint">
          <strong>{words.room.alone}</strong>
          {isHost(room) && <span>{words.room.aloneHint}</span>}
        </p>
      )}
      <div
        ref={box}
        class="grid"
        role="list"
        aria-label={words.panel.inside(people.length)}
        style={{ "--tile-width": `${tile.width}px`, "--tile-height": `${tile.height}px` }}
      >
        {!room.loaded && <Spinner label={words.room.connecting} />}
        {people.map((person) => (
          <Tile key={person.id} person={person} />
        ))}
      </div>
    </div>
  );
}

function useBoxSize(box: { current: HTMLDivElement | null }): { width: number; height: number } {
  const [size, setSize] = useState({ width: 0, height: 0 });
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const observer = new ResizeObserver(([entry]) => {
      if (entry) setSize({ width: entry.contentRect.width, height: entry.contentRect.height });
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return size;
}
