/** Microphones, cameras and speakers of this computer. */

export type InputKind = "audioinput" | "videoinput";

/** What the user has chosen on the join page; an empty text means the system's default. */
export interface DeviceChoice {
  microphone: string;
  camera: string;
  speaker: string;
}

export const defaultDevices: DeviceChoice = { microphone: "", camera: "", speaker: "" };

export const canChooseSpeaker = typeof HTMLMediaElement !== "undefined" && "setSinkId" in HTMLMediaElement.prototype;

/** Opens a microphone; `null` when there is none or the user says no. */
export function openMicrophone(deviceId: string): Promise<MediaStreamTrack | null> {
  return open({
    audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true, ...exactly(deviceId) },
  });
}

/** Opens a camera; `null` when there is none or the user says no. */
export function openCamera(deviceId: string): Promise<MediaStreamTrack | null> {
  return open({
    video: { width: { ideal: 960 }, height: { ideal: 540 }, frameRate: { ideal: 30, max: 30 }, ...exactly(deviceId) },
  });
}

export async function listDevices(): Promise<MediaDeviceInfo[]> {
  const devices = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
  return devices.filter((device) => device.deviceId !== "");
}

function exactly(deviceId: string): MediaTrackConstraints {
  return deviceId === "" ? {} : { deviceId: { exact: deviceId } };
}

async function open(constraints: MediaStreamConstraints): Promise<MediaStreamTrack | null> {
  try {
    const stream = await navigator.mediaDevices.getUserMedia(constraints);
    return stream.getTracks()[0] ?? null;
  } catch {
    return null;
  }
}
