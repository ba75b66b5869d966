import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Me } from "../api/client";
import type { RoomState } from "../state/room";
import { useStore } from "../state/store";
import type { Controller } from "./controller";

interface Room {
  controller: Controller;
  /** The signed-in user; `null` for somebody who came by a link. */
  user: Me | null;
}

export const RoomContext = createContext<Room | null>(null);

export function useRoom(): Room {
  const room = useContext(RoomContext);
  if (room === null) throw new Error("outside of a meeting");
  return room;
}

export function useRoomState(): RoomState {
  return useStore(useRoom().controller.store);
}
