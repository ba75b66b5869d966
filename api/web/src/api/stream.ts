/** The event stream: one WebSocket that comes back by itself and resumes after the last event seen. */

import type { Api } from "./client";
import { type Frame, readFrame } from "./frames";

const FIRST_DELAY_MS = 400;
const LONGEST_DELAY_MS = 10_000;

/** The server's own close codes after which coming back is of no use. */
const REFUSALS: Readonly<Record<number, Refusal>> = { 4401: "signed-out", 4403: "removed", 4409: "replaced" };

/** `replaced`: the same person has joined anew, with another leg. */
export type Refusal = "signed-out" | "removed" | "replaced";

export interface StreamHandlers {
  onFrame(frame: Frame): void;
  onOnline(online: boolean): void;
  /** The server will not tell this browser any more. */
  onRefused(refusal: Refusal): void;
}

/** Waiting time before attempt `attempt` (0 is the first retry): doubling, capped, with up to a quarter taken off. */
export function reconnectDelayMs(attempt: number, random: number): number {
  const full = Math.min(FIRST_DELAY_MS * 2 ** attempt, LONGEST_DELAY_MS);
  return Math.round(full * (1 - random / 4));
}

export class EventStream {
  private socket: WebSocket | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private attempt = 0;
  private lastId: number | null = null;
  private closed = false;

  constructor(
    private readonly api: Api,
    private readonly meeting: string,
    private leg: number | null,
    private readonly handlers: StreamHandlers,
  ) {
    this.open();
  }

  /** Names a new leg (after the media connection was rebuilt); the stream reconnects to say so. */
  setLeg(leg: number): void {
    if (leg === this.leg) return;
    this.leg = leg;
    this.drop();
    this.open();
  }

  /** Closes for good: the code tells the server that this browser leaves on purpose and will not come back. */
  close(): void {
    this.closed = true;
    this.drop(1000);
  }

  private drop(code?: number): void {
    clearTimeout(this.timer);
    const socket = this.socket;
    this.socket = null;
    socket?.close(code);
  }

  private open(): void {
    const socket = new WebSocket(this.api.eventsUrl(this.meeting, this.leg, this.lastId));
    this.socket = socket;
    socket.onmessage = (message: MessageEvent<unknown>) => {
      if (this.socket === socket && typeof message.data === "string") this.take(message.data);
    };
    socket.onclose = ({ code }) => {
      if (this.socket !== socket || this.closed) return;
      const refusal = REFUSALS[code];
      if (refusal !== undefined) return this.handlers.onRefused(refusal);
      this.handlers.onOnline(false);
      this.timer = setTimeout(() => this.open(), reconnectDelayMs(this.attempt++, Math.random()));
    };
  }

  private take(text: string): void {
    const frame = readFrame(text);
    if (frame === null) return;
    // Only now: a server that accepts sockets and closes them again must not be asked without a pause.
    this.attempt = 0;
    this.handlers.onOnline(true);
    this.lastId = frame.id;
    this.handlers.onFrame(frame);
  }
}
