// The routes of the development mock. They check no rights.

import {
  addPerson,
  calls,
  hana,
  makeMeeting,
  meetings,
  newId,
  placeCall,
  PORT,
  publish,
  resolve,
  setCall,
  users,
} from "./world.mjs";

const joinInfo = (meeting) => ({
  link: meeting.link,
  meeting_number: meeting.number,
  title: meeting.title,
  sip_uri: `sip:${meeting.number}@acme.test`,
  text: `${meeting.title}\n\nJoin by link: ${meeting.link}\nMeeting ID: ${meeting.number.replace(/(\d{3})(?=\d)/g, "$1 ")}\nSIP: sip:${meeting.number}@acme.test\n`,
});

/** Each route: method, pattern, and what it answers with (a body, or [status, body]). */
export const routes = [
  [
    "POST",
    /^\/login$/,
    (_, body) =>
      body.password === `${body.login}-demo`
        ? { user: hana, token: "mock" }
        : [401, { title: "Wrong login or password" }],
  ],
  ["POST", /^\/logout$/, () => [204]],
  [
    "GET",
    /^\/me$/,
    (_, __, request) => (/partyline=/.test(request.headers.cookie ?? "") ? hana : [401, { title: "Not signed in" }]),
  ],
  ["GET", /^\/users$/, () => ({ users: users.slice(1) })],
  [
    "GET",
    /^\/users\/(\w+)\/devices$/,
    ([id]) => ({ devices: users.find((user) => user.id === id).devices.filter((each) => each.registered) }),
  ],
  [
    "POST",
    /^\/resolve$/,
    (_, body) => ({ results: body.texts.map((text) => ({ text, matches: resolve(body.purpose, text) })) }),
  ],
  ["GET", /^\/meetings$/, () => ({ meetings: [...meetings.values()].reverse() })],
  ["POST", /^\/meetings$/, (_, body) => [201, makeMeeting(body)]],
  ["GET", /^\/meetings\/(\w+)$/, ([id]) => meetings.get(id) ?? [404, { title: "No such meeting" }]],
  ["GET", /^\/meetings\/(\w+)\/join-info$/, ([id]) => joinInfo(meetings.get(id))],
  [
    "POST",
    /^\/meetings\/(\w+)\/(start|end)$/,
    ([id, what]) => {
      const meeting = meetings.get(id);
      meeting.state = what === "start" ? "started" : "ended";
      publish(`meeting.${meeting.state}`, meeting, {});
      return {};
    },
  ],
  [
    "PATCH",
    /^\/meetings\/(\w+)\/people\/(\w+)$/,
    ([id, pid], body) => {
      const meeting = meetings.get(id);
      const person = Object.assign(
        meeting.people.find((each) => each.id === pid),
        body,
      );
      publish(body.role ? "person.role_changed" : "person.access_changed", meeting, { person });
      return person;
    },
  ],
  [
    "DELETE",
    /^\/meetings\/(\w+)\/people\/(\w+)$/,
    ([id, pid]) => {
      const meeting = meetings.get(id);
      const person = meeting.people.find((each) => each.id === pid);
      meeting.people = meeting.people.filter((each) => each !== person);
      publish("person.removed", meeting, { person });
      return [204];
    },
  ],
  [
    "POST",
    /^\/meetings\/(\w+)\/people\/(\w+)\/(mute|unmute)$/,
    ([id, pid, what]) => {
      const meeting = meetings.get(id);
      const person = meeting.people.find((each) => each.id === pid);
      person[person.user === "u100" ? "muted_by_self" : "muted_by_host"] = what === "mute";
      publish("person.muted", meeting, { person });
      return {};
    },
  ],
  [
    "POST",
    /^\/meetings\/(\w+)\/calls$/,
    ([id], body) => [202, { calls: body.targets.map((target) => placeCall(meetings.get(id), target)) }],
  ],
  [
    "DELETE",
    /^\/calls\/(\w+)$/,
    ([id]) => {
      const call = calls.get(id);
      call.timers.forEach(clearTimeout);
      setCall(
        call,
        call.view.state === "joined" ? "ended" : "cancelled",
        call.view.state === "joined" ? "hung_up" : "cancelled",
      );
      return {};
    },
  ],
  [
    "POST",
    /^\/calls\/(\w+)\/retry$/,
    ([id]) => [202, placeCall(calls.get(id).meeting, calls.get(id).target, calls.get(id).person)],
  ],
  [
    "GET",
    /^\/join\/t-(\w+)$/,
    ([id]) =>
      meetings.has(id)
        ? { meeting: { id, title: meetings.get(id).title }, person: { display_name: null, role: "attendee" } }
        : [404, { title: "No such link" }],
  ],
  [
    "POST",
    /^\/join\/t-(\w+)$/,
    ([id], body) => {
      const meeting = meetings.get(id);
      const person = addPerson(meeting, { name: body.name, role: "attendee" });
      return { token: person.id, meeting, person };
    },
  ],
  [
    "POST",
    /^\/meetings\/(\w+)\/webrtc\/offer$/,
    ([id], body, request) => {
      const meeting = meetings.get(id);
      const token = request.headers.authorization?.slice(7);
      const person = meeting.people.find((each) => (token ? each.id === token : each.user === "u100"));
      Object.assign(person, { present: true, leg_kind: "webrtc" });
      meeting.state = "active";
      publish("person.joined", meeting, { person });
      return { sdp: refuseAll(body.sdp), leg: newId("l"), person: person.id, video_slots: 8 };
    },
  ],
  // For trying things out: publishes whatever event is posted, such as {"kind": "person.speaking", "data": {…}}.
  [
    "POST",
    /^\/dev\/meetings\/(\w+)\/events$/,
    ([id], body) => {
      publish(body.kind, meetings.get(id), body.data);
      return {};
    },
  ],
];

/** An answer without media: every m-line is there and inactive. */
function refuseAll(offer) {
  const keep = /^(m=|c=|a=mid|a=rtcp-mux|a=rtpmap|a=fmtp)/;
  const lines = offer.split("\r\n").filter((line) => keep.test(line));
  const head = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=ice-lite"];
  const bundle = offer.match(/a=group:BUNDLE.*/)[0];
  const transport = [
    "a=inactive",
    "a=ice-ufrag:mock",
    "a=ice-pwd:mockmockmockmockmockmock",
    "a=setup:passive",
    `a=fingerprint:sha-256 ${Array(32).fill("00").join(":")}`,
  ];
  const media = lines.flatMap((line) => (line.startsWith("c=") ? [line, ...transport] : [line]));
  return [...head, bundle, ...media, ""].join("\r\n");
}
