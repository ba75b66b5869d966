/** Drives one meeting: media connection, event stream and what the user presses. It holds the store, it draws nothing. */

import { type Access, Api, ApiError, type Meeting, newIdempotencyKey, type Person, type Role } from "../api/client";
import type { Frame } from "../api/frames";
import { EventStream, type Refusal } from "../api/stream";
import { type DeviceChoice, openCamera, openMicrophone } from "../media/devices";
import { MediaSession } from "../media/session";
import {
  alreadyListed,
  callTarget,
  type DiallerRow,
  personTarget,
  type RowTarget,
  readyToCall,
} from "../state/dialler";
import { noticesBetween } from "../state/notices";
import { emptyRoom, type InviteTab, type Over, reduceRoom, type RoomAction, type RoomState } from "../state/room";
import { myself } from "../state/select";
import { createStore, type Store } from "../state/store";
import { errorWords } from "../ui/errors";
import { toast } from "../ui/toast";
import { words } from "../words";

const REJOIN_FIRST_MS = 1_000;
const REJOIN_LONGEST_MS = 10_000;
/** So many lost connections within this time are not bad luck: the same person is in from another window, say. */
const LOSSES_AT_MOST = 4;
const LOSSES_WITHIN_MS = 120_000;

export interface LocalTracks {
  microphone: MediaStreamTrack | null;
  camera: MediaStreamTrack | null;
}

export class Controller {
  readonly store: Store<RoomState, RoomAction> = createStore(reduceRoom, emptyRoom);
  readonly media: MediaSession;
  /** The user's own camera, for the mirror picture. */
  readonly preview = new MediaStream();

  private stream: EventStream | null = null;
  private microphone: MediaStreamTrack | null;
  private camera: MediaStreamTrack | null;
  private rejoinTimer: ReturnType<typeof setTimeout> | undefined;
  private rejoinDelay = REJOIN_FIRST_MS;
  private losses: number[] = [];
  /** This browser is taking the place of its own old leg; being told of that is no news. */
  private rejoining = false;

  constructor(
    readonly api: Api,
    readonly meeting: Meeting,
    readonly devices: DeviceChoice,
    tracks: LocalTracks,
  ) {
    this.microphone = tracks.microphone;
    this.camera = tracks.camera;
    if (tracks.camera) this.preview.addTrack(tracks.camera);
    this.media = new MediaSession((state) => {
      this.local({ media: state });
      if (state === "lost") this.onLoss();
      if (state === "connected") this.rejoinDelay = REJOIN_FIRST_MS;
    });
    this.local({
      microphone: tracks.microphone === null ? "none" : tracks.microphone.enabled ? "on" : "off",
      camera: tracks.camera === null ? "off" : "on",
    });
  }

  /** Joins; throws when the server refuses. */
  async enter(): Promise<void> {
    await this.media.setMicrophone(this.microphone);
    await this.media.setCamera(this.camera);
    const { leg, person } = await this.media.connect(this.api, this.meeting.id);
    this.store.dispatch({ type: "entered", me: person, meeting: this.meeting });
    void this.tellMuted();
    this.stream = new EventStream(this.api, this.meeting.id, leg, {
      onOnline: (online) => this.store.dispatch({ type: "online", online }),
      onFrame: (frame) => this.take(frame),
      onRefused: (refusal) => this.onRefused(refusal),
    });
  }

  leave(over: Over = "left"): void {
    this.store.dispatch({ type: "left", over });
    this.stop();
  }

  /** Closes connection and socket but keeps the devices open, for another try. */
  disconnect(): void {
    clearTimeout(this.rejoinTimer);
    this.stream?.close();
    this.media.close();
  }

  /** Gives back devices, connection and socket; safe to call twice. */
  stop(): void {
    this.disconnect();
    this.microphone?.stop();
    this.camera?.stop();
  }

  async end(): Promise<void> {
    if (await this.attempt(this.api.end(this.meeting.id))) this.leave("ended");
  }

  async toggleMicrophone(): Promise<void> {
    if (this.microphone === null || this.microphone.readyState === "ended") {
      this.microphone = await openMicrophone(this.devices.microphone);
      if (this.microphone === null) return toast(words.room.noMicrophone, "error");
      await this.media.setMicrophone(this.microphone);
    } else {
      this.microphone.enabled = !this.microphone.enabled;
    }
    this.local({ microphone: this.microphone.enabled ? "on" : "off" });
    await this.tellMuted();
  }

  async toggleCamera(): Promise<void> {
    if (this.camera !== null) {
      await this.media.setCamera(null);
      this.camera.stop();
      this.preview.removeTrack(this.camera);
      this.camera = null;
    } else {
      this.camera = await openCamera(this.devices.camera);
      if (this.camera === null) return toast(words.room.noCamera, "error");
      this.preview.addTrack(this.camera);
      await this.media.setCamera(this.camera);
    }
    this.local({ camera: this.camera === null ? "off" : "on" });
  }

  soundBlocked(soundBlocked: boolean): void {
    this.local({ soundBlocked });
  }

  openInvite(tab: InviteTab | null): void {
    this.store.dispatch({ type: "invite", tab });
  }

  setRole(person: string, role: Role): Promise<boolean> {
    return this.attempt(this.api.changePerson(this.meeting.id, person, { role }));
  }

  setAccess(person: string, access: Access): Promise<boolean> {
    return this.attempt(this.api.changePerson(this.meeting.id, person, { access }));
  }

  setMuted(person: Person, muted: boolean): Promise<boolean> {
    return this.attempt(this.api.mute(this.meeting.id, person.id, muted));
  }

  remove(person: string): Promise<boolean> {
    return this.attempt(this.api.removePerson(this.meeting.id, person));
  }

  endCall(call: string): Promise<boolean> {
    return this.attempt(this.api.endCall(call));
  }

  /** Call again from the people panel; the new call appears by its events. */
  callAgain(call: string): Promise<boolean> {
    return this.attempt(this.api.retryCall(call, newIdempotencyKey()));
  }

  /** Puts somebody from the list of people on the CALL list, with the role they have, and shows it. */
  async callPerson(person: Person): Promise<void> {
    this.openInvite("call");
    const target = personTarget(person);
    const { rows } = this.store.get().dialler;
    const identity = target?.kind === "user" ? { user: target.user } : { number: target?.number ?? "" };
    if (target !== null && !alreadyListed(rows, this.store.get().calls, identity))
      await this.addToCallList(target, person.role);
  }

  /** Adds somebody to the CALL list; a user's registered devices are looked up at this moment. */
  async addToCallList(target: RowTarget, role?: Role): Promise<void> {
    const key = newIdempotencyKey();
    this.store.dispatch({ type: "dialler", action: { type: "add", key, target, role } });
    if (target.kind !== "user") return;
    try {
      const devices = await this.api.registeredDevices(target.user);
      this.store.dispatch({ type: "dialler", action: { type: "devices", key, devices } });
    } catch (error) {
      this.store.dispatch({ type: "dialler", action: { type: "remove", key } });
      toast(errorWords(error), "error");
    }
  }

  /**
   * CALL: dials every row that is ready. A press repeated after a lost answer carries the same key, so that nobody
   * is rung twice; a press while one is under way does nothing.
   */
  async pressCall(): Promise<void> {
    const { rows, pressKey } = this.store.get().dialler;
    const ready = rows.filter(readyToCall);
    const targets = ready.map(callTarget).filter((target) => target !== null);
    if (targets.length === 0 || rows.some((row) => row.at.step === "sending")) return;
    const key = pressKey ?? newIdempotencyKey();
    this.store.dispatch({ type: "dialler", action: { type: "press", pressKey: key } });
    try {
      const receipts = await this.api.call(this.meeting.id, targets, key);
      this.store.dispatch({
        type: "dialler",
        action: { type: "answered", keys: ready.map((row) => row.key), receipts },
      });
    } catch (error) {
      const answered = error instanceof ApiError && error.status > 0 && error.status < 500;
      this.store.dispatch({ type: "dialler", action: answered ? { type: "rejected" } : { type: "unreachable" } });
      toast(errorWords(error), "error");
    }
  }

  /** Call again on a row of the CALL list, keeping its role. */
  async redialRow(row: DiallerRow): Promise<void> {
    if (row.at.step !== "placed") return;
    const { call } = row.at;
    await this.attempt(
      this.api.retryCall(call, newIdempotencyKey()).then((receipt) => {
        this.store.dispatch({ type: "dialler", action: { type: "again", key: row.key, call: receipt.id ?? call } });
      }),
    );
  }

  /** The sign others see. The microphone itself is on or off already, whatever becomes of this. */
  private async tellMuted(): Promise<void> {
    const { me, local } = this.store.get();
    if (me !== null) await this.api.mute(this.meeting.id, me, local.microphone !== "on").catch(() => undefined);
  }

  private local(change: Partial<RoomState["local"]>): void {
    this.store.dispatch({ type: "local", change });
  }

  /** Waits for a request; a refusal is told to the user. Whether it went well. */
  private async attempt(request: Promise<unknown>): Promise<boolean> {
    try {
      await request;
      return true;
    } catch (error) {
      toast(errorWords(error), "error");
      return false;
    }
  }

  private take(frame: Frame): void {
    const before = this.store.get();
    this.store.dispatch({ type: "frame", frame });
    const now = this.store.get();
    for (const notice of noticesBetween(before, now)) toast(notice);
    if (now.over !== null) this.stop();
    // A server that was restarted knows the meeting, but no longer this browser's leg.
    else if (frame.type === "snapshot" && myself(before)?.present && !myself(now)?.present) this.onLoss();
  }

  private onRefused(refusal: Refusal): void {
    if (refusal === "replaced" && this.rejoining) return;
    this.leave(refusal === "signed-out" ? "lost" : refusal);
  }

  private onLoss(): void {
    const now = performance.now();
    this.losses = [...this.losses.filter((at) => now - at < LOSSES_WITHIN_MS), now];
    if (this.losses.length > LOSSES_AT_MOST) this.leave("lost");
    else this.rejoinLater();
  }

  private rejoinLater(): void {
    if (this.store.get().over !== null) return;
    this.rejoining = true;
    clearTimeout(this.rejoinTimer);
    this.rejoinTimer = setTimeout(() => void this.rejoin(), this.rejoinDelay);
    this.rejoinDelay = Math.min(this.rejoinDelay * 2, REJOIN_LONGEST_MS);
  }

  /** Makes the media connection anew and tells the event stream about the new leg. */
  private async rejoin(): Promise<void> {
    try {
      const { leg, person } = await this.media.connect(this.api, this.meeting.id);
      this.store.dispatch({ type: "entered", me: person, meeting: this.meeting });
      void this.tellMuted();
      this.stream?.setLeg(leg);
      this.rejoining = false;
    } catch (error) {
      if (!(error instanceof ApiError) || error.status === 0 || error.status >= 500) return this.rejoinLater();
      toast(errorWords(error), "error");
      this.leave(error.status === 403 ? "removed" : "lost");
    }
  }
}
