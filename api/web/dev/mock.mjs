// A development mock of the server: enough of /v1 to look at every screen of the page. It keeps everything in
// memory, checks no rights, speaks no media (the browser's offer stays unanswered) and is never shipped.
//
//   npm run build && npm run dev:mock      serves dist and the mock on http://127.0.0.1:8080
//   npm run dev                            Vite's server in front of it, with reloading
//
// Calls run through their states by themselves; the number decides how they end (see `scripts`).

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { WebSocketServer } from "ws";

const PORT = Number(process.env.PORT ?? 8080);
const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
const DIST = fileURLToPath(new URL("../dist", import.meta.url));

const device = (name, kind, label, registered) => ({ name, kind, label, registered });
const users = [
  { id: "u100", login: "hana", display_name: "Hana Novak", extension: "100", mail: "hana@acme.test", devices: [] },
  { id: "u101", login: "pia", display_name: "Pia Lindqvist", extension: "101", mail: "pia@acme.test",
    devices: [device("101a", "desk phone", "Desk phone 101a", true), device("101b", "softphone", "Softphone 101b", true)] },
  { id: "u102", login: "ari", display_name: "Ari Okafor", extension: "102", mail: "ari@acme.test", number: "+12025550102",
    devices: [device("102a", "desk phone", "Desk phone 102a", false)] },
  { id: "u103", login: "uma", display_name: "Uma Castellanos", extension: "103", mail: "uma@acme.test",
    devices: [device("103a", "desk phone", "Desk phone 103a", true), device("103b", "desk phone", "Desk phone 103b", false)] },
];
const hana = { ...users[0], first: "Hana", last: "Novak", tenant_role: "user", tenant: "acme", caller_id: { number: "+12025550100", display: "Hana Novak" } };

const meetings = new Map();
const calls = new Map();
const sockets = new Set();
let eventId = 0;
let nextId = 1;
const newId = (letter) => `${letter}${nextId++}`;
const words = { busy: "Busy", not_confirmed: "Did not press 1", no_answer: "No answer", declined: "Declined", hung_up: "Hung up" };
const scripts = {
  "+12025550120": [["dialling", 300], ["ringing", 1200], ["failed", 0, "busy", 486]],
  "+12025550121": [["dialling", 300], ["ringing", 1200], ["failed", 0, "declined", 603]],
  "+12025550122": [["dialling", 300], ["ringing", 600000]],
  "+12025550130": [["dialling", 300], ["ringing", 900], ["answered", 300], ["confirming", 4000], ["failed", 0, "not_confirmed"]],
  number: [["dialling", 300], ["ringing", 1500], ["answered", 300], ["confirming", 2500], ["joined", 0]],
  device: [["dialling", 200], ["ringing", 1500], ["answered", 100], ["joined", 0]],
};

function makeMeeting({ title, type = "conference", people = [] }) {
  const id = newId("m");
  const number = String(100000000 + Math.floor(Math.random() * 8e8));
  const meeting = { id, number, title, type, state: "scheduled", owner: "u100", link: `http://127.0.0.1:${PORT}/join/t-${id}`, created_at: Date.now(), people: [], my_role: "host" };
  addPerson(meeting, { user: "u100", role: "host", access: "collaborate" });
  for (const draft of people) addPerson(meeting, draft);
  meetings.set(id, meeting);
  return meeting;
}

function addPerson(meeting, draft) {
  const user = users.find((each) => each.id === draft.user);
  const person = { id: newId("p"), user: draft.user ?? null, display_name: user?.display_name ?? draft.name ?? draft.email ?? draft.number,
    number: draft.number ?? null, email: draft.email ?? user?.mail ?? null, role: draft.role ?? "attendee", access: draft.access ?? "collaborate",
    source: "people", present: false, leg_kind: null, muted_by_host: false, muted_by_self: false, link: `http://127.0.0.1:${PORT}/join/t-${meeting.id}` };
  meeting.people.push(person);
  return person;
}

function publish(kind, meeting, data) {
  const frame = JSON.stringify({ type: "event", id: ++eventId, kind, at: Date.now(), meeting: meeting.id, data });
  for (const socket of sockets) if (socket.meeting === meeting.id) socket.send(frame);
}

function setCall(call, state, cause, sipCode) {
  Object.assign(call.view, { state, cause, sip_code: sipCode, words: words[cause] ?? state, at: Date.now() });
  const person = call.person;
  const present = state === "joined";
  if (person.present !== present) {
    Object.assign(person, { present, leg_kind: present ? "sip" : null });
    publish(present ? "person.joined" : "person.left", call.meeting, { person });
  }
  publish(`call.${state}`, call.meeting, call.view);
}

function runCall(call) {
  let delay = 0;
  for (const [state, lasts, cause, code] of call.script) {
    call.timers.push(setTimeout(() => setCall(call, state, cause, code), delay));
    delay += lasts;
  }
}

function placeCall(meeting, target, retried) {
  const number = target.number;
  if (number?.endsWith("911")) return { state: "refused", reason: "emergency", detail: "Emergency numbers are not dialled from a meeting. Use a phone" };
  const user = users.find((each) => each.id === target.user);
  const person = retried ?? addPerson(meeting, target);
  const view = { call: newId("c"), person: person.id, state: "queued", words: "Calling", display_name: person.display_name, role: person.role,
    target: user ? `Desk phone ${target.device}` : number, number, at: Date.now() };
  const call = { view, meeting, person, target, timers: [], script: user ? scripts.device : (scripts[number] ?? scripts.number) };
  calls.set(view.call, call);
  publish("person.added", meeting, { person });
  publish("call.queued", meeting, view);
  runCall(call);
  return { id: view.call, state: "queued", number };
}

function resolve(purpose, text) {
  const found = users.slice(1).filter((user) => user.display_name.toLowerCase().includes(text.toLowerCase()) || user.extension.startsWith(text) || user.mail === text);
  if (found.length > 0) return found.map((user) => ({ kind: "user", user, display: user.display_name }));
  const digits = text.replace(/\D/g, "");
  if (text === "911") return [{ kind: "refused", display: text, reason: "emergency", mend: "Emergency numbers are not dialled from a meeting. Use a phone" }];
  if (/^\d{3}$/.test(text)) return [{ kind: "unknown", display: text, reason: "no such extension" }];
  if (digits.length >= 10 && /^[+\d() .-]+$/.test(text)) return [{ kind: "number", number: `+1${digits.slice(-10)}`, display: text }];
  if (/^\S+@\S+\.\S+$/.test(text)) return [{ kind: "email", email: text, display: text }];
  return [];
}

const joinInfo = (meeting) => ({ link: meeting.link, meeting_number: meeting.number, title: meeting.title, sip_uri: `sip:${meeting.number}@acme.test`,
  text: `${meeting.title}\n\nJoin by link: ${meeting.link}\nMeeting ID: ${meeting.number.replace(/(\d{3})(?=\d)/g, "$1 ")}\nSIP: sip:${meeting.number}@acme.test\n` });

/** Each route: method, pattern, and what it answers with (a body, or [status, body]). */
const routes = [
  ["POST", /^\/login$/, (_, body) => (body.password === `${body.login}-demo` ? { user: hana, token: "mock" } : [401, { title: "Wrong login or password" }])],
  ["POST", /^\/logout$/, () => [204]],
  ["GET", /^\/me$/, (_, __, request) => (/partyline=/.test(request.headers.cookie ?? "") ? hana : [401, { title: "Not signed in" }])],
  ["GET", /^\/users$/, () => ({ users: users.slice(1) })],
  ["GET", /^\/users\/(\w+)\/devices$/, ([id]) => ({ devices: users.find((user) => user.id === id).devices.filter((each) => each.registered) })],
  ["POST", /^\/resolve$/, (_, body) => ({ results: body.texts.map((text) => ({ text, matches: resolve(body.purpose, text) })) })],
  ["GET", /^\/meetings$/, () => ({ meetings: [...meetings.values()].reverse() })],
  ["POST", /^\/meetings$/, (_, body) => [201, makeMeeting(body)]],
  ["GET", /^\/meetings\/(\w+)$/, ([id]) => meetings.get(id) ?? [404, { title: "No such meeting" }]],
  ["GET", /^\/meetings\/(\w+)\/join-info$/, ([id]) => joinInfo(meetings.get(id))],
  ["POST", /^\/meetings\/(\w+)\/(start|end)$/, ([id, what]) => {
    const meeting = meetings.get(id);
    meeting.state = what === "start" ? "started" : "ended";
    publish(`meeting.${meeting.state}`, meeting, {});
    return {};
  }],
  ["PATCH", /^\/meetings\/(\w+)\/people\/(\w+)$/, ([id, pid], body) => {
    const meeting = meetings.get(id);
    const person = Object.assign(meeting.people.find((each) => each.id === pid), body);
    publish(body.role ? "person.role_changed" : "person.access_changed", meeting, { person });
    return person;
  }],
  ["DELETE", /^\/meetings\/(\w+)\/people\/(\w+)$/, ([id, pid]) => {
    const meeting = meetings.get(id);
    const person = meeting.people.find((each) => each.id === pid);
    meeting.people = meeting.people.filter((each) => each !== person);
    publish("person.removed", meeting, { person });
    return [204];
  }],
  ["POST", /^\/meetings\/(\w+)\/people\/(\w+)\/(mute|unmute)$/, ([id, pid, what]) => {
    const meeting = meetings.get(id);
    const person = meeting.people.find((each) => each.id === pid);
    person[person.user === "u100" ? "muted_by_self" : "muted_by_host"] = what === "mute";
    publish("person.muted", meeting, { person });
    return {};
  }],
  ["POST", /^\/meetings\/(\w+)\/calls$/, ([id], body) => [202, { calls: body.targets.map((target) => placeCall(meetings.get(id), target)) }]],
  ["DELETE", /^\/calls\/(\w+)$/, ([id]) => {
    const call = calls.get(id);
    call.timers.forEach(clearTimeout);
    setCall(call, call.view.state === "joined" ? "ended" : "cancelled", call.view.state === "joined" ? "hung_up" : "cancelled");
    return {};
  }],
  ["POST", /^\/calls\/(\w+)\/retry$/, ([id]) => [202, placeCall(calls.get(id).meeting, calls.get(id).target, calls.get(id).person)]],
  ["GET", /^\/join\/t-(\w+)$/, ([id]) => (meetings.has(id) ? { meeting: { id, title: meetings.get(id).title }, person: { display_name: null, role: "attendee" } } : [404, { title: "No such link" }])],
  ["POST", /^\/join\/t-(\w+)$/, ([id], body) => {
    const meeting = meetings.get(id);
    const person = addPerson(meeting, { name: body.name, role: "attendee" });
    return { token: person.id, meeting, person };
  }],
  ["POST", /^\/meetings\/(\w+)\/webrtc\/offer$/, ([id], body, request) => {
    const meeting = meetings.get(id);
    const token = request.headers.authorization?.slice(7);
    const person = meeting.people.find((each) => (token ? each.id === token : each.user === "u100"));
    Object.assign(person, { present: true, leg_kind: "webrtc" });
    meeting.state = "active";
    publish("person.joined", meeting, { person });
    return { sdp: refuseAll(body.sdp), leg: newId("l"), person: person.id, video_slots: 8 };
  }],
  // For trying things out: publishes whatever event is posted, such as {"kind": "person.speaking", "data": {…}}.
  ["POST", /^\/dev\/meetings\/(\w+)\/events$/, ([id], body) => {
    publish(body.kind, meetings.get(id), body.data);
    return {};
  }],
];

/** An answer without media: every m-line is there and inactive. */
function refuseAll(offer) {
  const keep = /^(m=|c=|a=mid|a=rtcp-mux|a=rtpmap|a=fmtp)/;
  const lines = offer.split("\r\n").filter((line) => keep.test(line));
  const head = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=ice-lite"];
  const bundle = offer.match(/a=group:BUNDLE.*/)[0];
  const transport = ["a=inactive", "a=ice-ufrag:mock", "a=ice-pwd:mockmockmockmockmockmock", "a=setup:passive",
    `a=fingerprint:sha-256 ${Array(32).fill("00").join(":")}`];
  const media = lines.flatMap((line) => (line.startsWith("c=") ? [line, ...transport] : [line]));
  return [...head, bundle, ...media, ""].join("\r\n");
}

async function answer(request, response) {
  const url = new URL(request.url, "http://mock");
  if (!url.pathname.startsWith("/v1/")) return serveFile(url.pathname, response);
  let text = "";
  for await (const chunk of request) text += chunk;
  const path = url.pathname.slice(3);
  for (const [method, pattern, handler] of routes) {
    const match = method === request.method && pattern.exec(path);
    if (!match) continue;
    const body = text === "" ? {} : JSON.parse(text);
    const result = handler(match.slice(1), body, request);
    const [status, data] = Array.isArray(result) ? result : [200, result];
    const cookie = path === "/login" && status === 200 ? "partyline=mock; HttpOnly; SameSite=Strict; Path=/" : path === "/logout" ? "partyline=; Max-Age=0; Path=/" : null;
    response.writeHead(status, { "Content-Type": "application/json", ...(cookie ? { "Set-Cookie": cookie } : {}) });
    return response.end(data === undefined ? "" : JSON.stringify(data));
  }
  response.writeHead(404, { "Content-Type": "application/problem+json" });
  response.end(JSON.stringify({ title: `The mock has no ${request.method} ${path}`, status: 404 }));
}

const TYPES = { ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".html": "text/html; charset=utf-8" };

async function serveFile(path, response) {
  const file = extname(path) === "" ? "index.html" : normalize(path);
  try {
    const body = await readFile(join(DIST, file));
    response.writeHead(200, { "Content-Type": TYPES[extname(file)] ?? "application/octet-stream", "Content-Security-Policy": CSP });
    response.end(body);
  } catch {
    response.writeHead(404).end();
  }
}

const server = createServer((request, response) => {
  answer(request, response).catch((error) => response.writeHead(500).end(JSON.stringify({ title: String(error) })));
});

new WebSocketServer({ server }).on("connection", (socket, request) => {
  const query = new URL(request.url, "http://mock").searchParams;
  const meeting = meetings.get(query.get("meeting"));
  if (!meeting) return socket.close();
  socket.meeting = meeting.id;
  sockets.add(socket);
  socket.on("close", () => sockets.delete(socket));
  const { people, ...facts } = meeting;
  const running = [...calls.values()].filter((call) => call.meeting === meeting).map((call) => call.view);
  socket.send(JSON.stringify({ type: "snapshot", id: eventId, data: { meeting: facts, people, calls: running, slots: {}, active_speaker: null } }));
});

makeMeeting({ title: "Weekly sync", people: [{ user: "u101", role: "presenter" }, { user: "u102" }, { number: "+12025550177" }] });
makeMeeting({ title: "Harbour project: supplier call", type: "presentation" });
server.listen(PORT, "127.0.0.1", () => console.log(`development mock on http://127.0.0.1:${PORT} (any demo user: hana / hana-demo)`));
