// Chromium with fake devices, and what a page has to do to be in a room: the same m-lines, in the same order, as
// the product's page.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import dgram from 'node:dgram';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const FLAGS = [
  '--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
  '--use-fake-device-for-media-stream=fps=30', '--use-fake-ui-for-media-stream',
  '--autoplay-policy=no-user-gesture-required',
];

export const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Polls until `condition` holds; throws with what it last returned when `milliseconds` have passed. */
export async function eventually(what, condition, milliseconds = 15_000) {
  const end = Date.now() + milliseconds;
  let last;
  while (Date.now() < end) {
    last = await condition();
    if (last === true) return;
    await sleep(200);
  }
  throw new Error(`${what}: still ${JSON.stringify(last)} after ${milliseconds} ms`);
}

export const launchBrowser = () =>
  chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', headless: false, args: FLAGS });

/** Starts the room program (media/examples/browser_room.rs) and returns its URL and how to stop it. */
export async function startRoom() {
  const [udp, tcp] = [await freePort('udp'), await freePort('tcp')];
  const program = process.env.BROWSER_ROOM ?? `${ROOT}/target/debug/examples/browser_room`;
  const room = spawn(program, [`127.0.0.1:${udp}`, `127.0.0.1:${tcp}`], { stdio: ['ignore', 'pipe', 'inherit'] });
  const log = [];
  room.stdout.on('data', (chunk) => log.push(String(chunk)));
  const url = `http://127.0.0.1:${tcp}/`;
  await eventually('the room answers', () => fetch(url).then(() => true, (error) => error.message));
  return { url, log, stop: async () => { room.kill(); await once(room, 'exit'); } };
}

async function freePort(kind) {
  if (kind === 'udp') {
    const socket = dgram.createSocket('udp4');
    await new Promise((resolve) => socket.bind(0, '127.0.0.1', resolve));
    const { port } = socket.address();
    await new Promise((resolve) => socket.close(resolve));
    return port;
  }
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Opens a page in `browser` that joins the room at `url`, saying a tone of `hz`, with a camera. */
export async function join(browser, url, hz) {
  const page = await (await browser.newContext()).newPage();
  await page.goto(url);
  await page.evaluate(joinInPage, hz);
  return new Participant(page);
}

/** Runs in the page. */
async function joinInPage(hz) {
  const connection = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
  const lines = [['audio', 'sendonly'], ['video', 'sendonly'], ['audio', 'recvonly']];
  for (let slot = 0; slot < 8; slot += 1) lines.push(['video', 'recvonly']);
  const transceivers = lines.map(([kind, direction]) => connection.addTransceiver(kind, { direction }));
  await connection.setLocalDescription(await connection.createOffer());
  const response = await fetch('/offer', { method: 'POST', body: connection.localDescription.sdp });
  await connection.setRemoteDescription({ type: 'answer', sdp: await response.text() });

  const audio = new AudioContext({ sampleRate: 48_000 });
  const [tone, gain, microphone] = [audio.createOscillator(), audio.createGain(), audio.createMediaStreamDestination()];
  tone.frequency.value = hz;
  gain.gain.value = 0.2;
  tone.connect(gain).connect(microphone);
  tone.start();
  const camera = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480, frameRate: 30 } });
  await transceivers[0].sender.replaceTrack(microphone.stream.getAudioTracks()[0]);
  await transceivers[1].sender.replaceTrack(camera.getVideoTracks()[0]);

  // Chromium plays a received track only while a media element holds it; the analyser then hears it.
  for (const { receiver } of transceivers.slice(2)) {
    const element = document.createElement(receiver.track.kind);
    Object.assign(element, { autoplay: true, muted: true, srcObject: new MediaStream([receiver.track]) });
    document.body.append(element);
  }
  const ear = new AnalyserNode(audio, { fftSize: 8192 });
  audio.createMediaStreamSource(new MediaStream([transceivers[2].receiver.track])).connect(ear);
  await audio.resume();
  Object.assign(window, { connection, transceivers, camera, ear, audio });
}

/** One page in the room. */
class Participant {
  constructor(page) {
    this.page = page;
  }

  /** Pictures decoded so far, by slot from 0. */
  frames() {
    return this.page.evaluate(async () => {
      const frames = new Array(8).fill(0);
      for (const report of (await connection.getStats()).values()) {
        if (report.type === 'inbound-rtp' && report.kind === 'video') {
          frames[Number(report.mid) - 3] = report.framesDecoded ?? 0;
        }
      }
      return frames;
    });
  }

  /** Which of the tones `frequencies` are heard: at least 20 dB above the spectrum's floor of -80 dB. */
  hears(frequencies) {
    return this.page.evaluate((frequencies) => {
      const spectrum = new Float32Array(ear.frequencyBinCount);
      ear.getFloatFrequencyData(spectrum);
      const level = (hz) => Math.max(...spectrum.slice(Math.round((hz * ear.fftSize) / audio.sampleRate) - 1).slice(0, 3));
      return frequencies.filter((hz) => level(hz) > -60);
    }, frequencies);
  }

  setCamera(on) {
    return this.page.evaluate((on) => transceivers[1].sender.replaceTrack(on ? camera.getVideoTracks()[0] : null), on);
  }

  leave() {
    return this.page.close();
  }
}
