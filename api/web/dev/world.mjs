// What the development mock knows: users, meetings, calls, and how calls run.

export const PORT = Number(process.env.PORT ?? 8080);

const device = (name, kind, label, registered) => ({ name, kind, label, registered });
export const users = [
  { id: "u100", login: "hana", display_name: "Hana Novak", extension: "100", mail: "hana@acme.test", devices: [] },
  {
    id: "u101",
    login: "pia",
    display_name: "Pia Lindqvist",
    extension: "101",
    mail: "pia@acme.test",
    devices: [
      device("101a", "desk phone", "Desk phone 101a", true),
      device("101b", "softphone", "Softphone 101b", true),
    ],
  },
  {
    id: "u102",
    login: "ari",
    display_name: "Ari Okafor",
    extension: "102",
    mail: "ari@acme.test",
    number: "+12025550102",
    devices: [device("102a", "desk phone", "Desk phone 102a", false)],
  },
  {
    id: "u103",
    login: "uma",
    display_name: "Uma Castellanos",
    extension: "103",
    mail: "uma@acme.test",
    devices: [
      device("103a", "desk phone", "Desk phone 103a", true),
      device("103b", "desk phone", "Desk phone 103b", false),
    ],
  },
];
export const hana = {
  ...users[0],
  first: "Hana",
  last: "Novak",
  tenant_role: "user",
  tenant: "acme",
  caller_id: { number: "+12025550100", display: "Hana Novak" },
};

export const meetings = new Map();
export const calls = new Map();
export const sockets = new Set();
let eventId = 0;
let nextId = 1;
export const newId = (letter) => `${letter}${nextId++}`;
const words = {
  busy: "Busy",
  not_confirmed: "Did not press 1",
  no_answer: "No answer",
  declined: "Declined",
  hung_up: "Hung up",
};
const scripts = {
  "+12025550120": [
    ["dialling", 300],
    ["ringing", 1200],
    ["failed", 0, "busy", 486],
  ],
  "+12025550121": [
    ["dialling", 300],
    ["ringing", 1200],
    ["failed", 0, "declined", 603],
  ],
  "+12025550122": [
    ["dialling", 300],
    ["ringing", 600000],
  ],
  "+12025550130": [
    ["dialling", 300],
    ["ringing", 900],
    ["answered", 300],
    ["confirming", 4000],
    ["failed", 0, "not_confirmed"],
  ],
  number: [
    ["dialling", 300],
    ["ringing", 1500],
    ["answered", 300],
    ["confirming", 2500],
    ["joined", 0],
  ],
  device: [
    ["dialling", 200],
    ["ringing", 1500],
    ["answered", 100],
    ["joined", 0],
  ],
};

export function makeMeeting({ title, type = "conference", people = [] }) {
  const id = newId("m");
  const number = String(100000000 + Math.floor(Math.random() * 8e8));
  const meeting = {
    id,
    number,
    title,
    type,
    state: "scheduled",
    owner: "u100",
    link: `http://127.0.0.1:${PORT}/join/t-${id}`,
    created_at: Date.now(),
    people: [],
    my_role: "host",
  };
  addPerson(meeting, { user: "u100", role: "host", access: "collaborate" });
  for (const draft of people) addPerson(meeting, draft);
  meetings.set(id, meeting);
  return meeting;
}

export function addPerson(meeting, draft) {
  const user = users.find((each) => each.id === draft.user);
  const person = {
    id: newId("p"),
    user: draft.user ?? null,
    display_name: user?.display_name ?? draft.name ?? draft.email ?? draft.number,
    number: draft.number ?? null,
    email: draft.email ?? user?.mail ?? null,
    role: draft.role ?? "attendee",
    access: draft.access ?? "collaborate",
    source: "people",
    present: false,
    leg_kind: null,
    muted_by_host: false,
    muted_by_self: false,
    link: `http://127.0.0.1:${PORT}/join/t-${meeting.id}`,
  };
  meeting.people.push(person);
  return person;
}

export const lastEventId = () => eventId;

export function publish(kind, meeting, data) {
  const frame = JSON.stringify({ type: "event", id: ++eventId, kind, at: Date.now(), meeting: meeting.id, data });
  for (const socket of sockets) if (socket.meeting === meeting.id) socket.send(frame);
}

export function setCall(call, state, cause, sipCode) {
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

export function placeCall(meeting, target, retried) {
  const number = target.number;
  if (number?.endsWith("911"))
    return {
      state: "refused",
      reason: "emergency",
      detail: "Emergency numbers are not dialled from a meeting",
    };
  const user = users.find((each) => each.id === target.user);
  const person = retried ?? addPerson(meeting, target);
  const view = {
    call: newId("c"),
    person: person.id,
    state: "queued",
    words: "Calling",
    display_name: person.display_name,
    role: person.role,
    target: user ? `Desk phone ${target.device}` : number,
    number,
    at: Date.now(),
  };
  const call = {
    view,
    meeting,
    person,
    target,
    timers: [],
    script: user ? scripts.device : (scripts[number] ?? scripts.number),
  };
  calls.set(view.call, call);
  publish("person.added", meeting, { person });
  publish("call.queued", meeting, view);
  runCall(call);
  return { id: view.call, state: "queued", number };
}

export function resolve(purpose, text) {
  const found = users
    .slice(1)
    .filter(
      (user) =>
        user.display_name.toLowerCase().includes(text.toLowerCase()) ||
        user.extension.startsWith(text) ||
        user.mail === text,
    );
  if (found.length > 0) return found.map((user) => ({ kind: "user", user, display: user.display_name }));
  const digits = text.replace(/\D/g, "");
  if (text === "911")
    return [
      {
        kind: "refused",
        display: text,
        reason: "emergency",
        mend: "Emergency numbers are not dialled from a meeting",
      },
    ];
  if (/^\d{3}$/.test(text)) return [{ kind: "unknown", display: text, reason: "no such extension" }];
  if (digits.length >= 10 && /^[+\d() .-]+$/.test(text))
    return [{ kind: "number", number: `+1${digits.slice(-10)}`, display: text }];
  if (/^\S+@\S+\.\S+$/.test(text)) return [{ kind: "email", email: text, display: text }];
  return [];
}
