/**
 * The one WebRTC connection of a meeting.
 *
 * The browser offers once, without tracks, with its m-lines in a fixed order: microphone, camera, the mix of
 * all voices, then the video slots. After that nothing is negotiated again: cameras and microphones come and go
 * by `replaceTrack`, and the server decides whose picture a slot carries and tells so by `media.slots`.
 */

import type { Api, WebrtcAnswer } from "../api/client";

/** Received videos at a time; the server puts the people who matter into them. */
export const VIDEO_SLOTS = 8;

const CAMERA_MAX_BITRATE = 900_000;
/** How long ICE may be disconnected before the connection is given up and made anew. */
const DISCONNECTED_GRACE_MS = 6_000;

export type MediaState = "connecting" | "connected" | "lost";

export class MediaSession {
  /** The voices of all others as one stream. */
  readonly mix = new MediaStream();
  /** One stream per video slot; the same objects over every reconnect, so that elements keep playing them. */
  readonly slots: readonly MediaStream[] = Array.from({ length: VIDEO_SLOTS }, () => new MediaStream());

  private connection: RTCPeerConnection | null = null;
  private microphone: RTCRtpSender | null = null;
  private camera: RTCRtpSender | null = null;
  private tracks: { audio: MediaStreamTrack | null; video: MediaStreamTrack | null } = { audio: null, video: null };
  private grace: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly onState: (state: MediaState) => void) {}

  /** Makes a (new) connection; resolves once the server's answer is applied, media follows by itself. */
  async connect(api: Api, meeting: string): Promise<WebrtcAnswer> {
    this.close();
    this.onState("connecting");
    const connection = new RTCPeerConnection();
    this.connection = connection;
    this.watch(connection);
    this.addTransceivers(connection);
    await this.applyTracks();
    await connection.setLocalDescription();
    const offer = connection.localDescription?.sdp ?? "";
    const answer = await api.offer(meeting, offer);
    if (this.connection === connection) await connection.setRemoteDescription({ type: "answer", sdp: answer.sdp });
    return answer;
  }

  async setMicrophone(track: MediaStreamTrack | null): Promise<void> {
    this.tracks.audio = track;
    await this.microphone?.replaceTrack(track);
  }

  async setCamera(track: MediaStreamTrack | null): Promise<void> {
    this.tracks.video = track;
    await this.camera?.replaceTrack(track);
  }

  close(): void {
    clearTimeout(this.grace);
    const connection = this.connection;
    this.connection = null;
    this.microphone = null;
    this.camera = null;
    connection?.close();
  }

  private addTransceivers(connection: RTCPeerConnection): void {
    const microphone = connection.addTransceiver("audio", { direction: "sendonly" });
    const camera = connection.addTransceiver("video", {
      direction: "sendonly",
      sendEncodings: [{ maxBitrate: CAMERA_MAX_BITRATE }],
    });
    const mix = connection.addTransceiver("audio", { direction: "recvonly" });
    const videos = this.slots.map(() => connection.addTransceiver("video", { direction: "recvonly" }));

    for (const transceiver of [microphone, mix]) restrictCodecs(transceiver, "audio", ["audio/opus"]);
    for (const transceiver of [camera, ...videos]) restrictCodecs(transceiver, "video", ["video/vp8", "video/rtx"]);

    this.microphone = microphone.sender;
    this.camera = camera.sender;
    carry(this.mix, mix.receiver.track);
    videos.forEach((video, index) => {
      const slot = this.slots[index];
      if (slot) carry(slot, video.receiver.track);
    });
  }

  private async applyTracks(): Promise<void> {
    await this.microphone?.replaceTrack(this.tracks.audio);
    await this.camera?.replaceTrack(this.tracks.video);
  }

  private watch(connection: RTCPeerConnection): void {
    connection.onconnectionstatechange = () => {
      if (this.connection !== connection) return;
      clearTimeout(this.grace);
      const state = connection.connectionState;
      if (state === "connected") this.onState("connected");
      if (state === "failed" || state === "closed") this.onState("lost");
      if (state === "disconnected") this.grace = setTimeout(() => this.onState("lost"), DISCONNECTED_GRACE_MS);
    };
  }
}

/** Offers only what the server speaks: a full codec list costs the server milliseconds per offer. */
function restrictCodecs(transceiver: RTCRtpTransceiver, kind: "audio" | "video", mimeTypes: string[]): void {
  const offered = RTCRtpReceiver.getCapabilities(kind)?.codecs ?? [];
  const codecs = offered.filter((codec) => mimeTypes.includes(codec.mimeType.toLowerCase()));
  if (codecs.length > 0) transceiver.setCodecPreferences(codecs);
}

function carry(stream: MediaStream, track: MediaStreamTrack): void {
  for (const old of stream.getTracks()) stream.removeTrack(old);
  stream.addTrack(track);
}
