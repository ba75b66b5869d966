import { absent, calledInVain, isHost, latestCall, present, strayCalls } from "../state/select";
import { IconButton } from "../ui/bits";
import { words } from "../words";
import { useRoomState } from "./context";
import { PersonRow, StrayCallRow } from "./person-row";

export function PeoplePanel({ onClose }: { onClose: () => void }) {
  const room = useRoomState();
  const host = isHost(room);
  const inside = present(room);
  const outside = absent(room).filter((person) => host || !calledInVain(room, person));
  const strays = strayCalls(room);

  return (
    <aside class="panel" aria-label={words.panel.heading} data-testid="people-panel">
      <header class="panel-head">
        <h2>{words.panel.heading}</h2>
        <IconButton icon="close" label={words.common.close} onClick={onClose} />
      </header>
      <div class="panel-body">
        <h3 class="section-heading">{words.panel.inside(inside.length)}</h3>
        <ul class="rows">
          {inside.map((person) => (
            <PersonRow key={person.id} person={person} host={host} call={latestCall(room, person.id)} />
          ))}
        </ul>
        {outside.length + strays.length > 0 && (
          <>
            <h3 class="section-heading">{words.panel.outside(outside.length + strays.length)}</h3>
            <ul class="rows">
              {strays.map((call) => (
                <StrayCallRow key={call.call} call={call} host={host} />
              ))}
              {outside.map((person) => (
                <PersonRow key={person.id} person={person} host={host} call={latestCall(room, person.id)} />
              ))}
            </ul>
          </>
        )}
      </div>
    </aside>
  );
}
