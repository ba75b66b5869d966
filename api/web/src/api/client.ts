/**
 * The REST client: every type that crosses the wire and every route the page uses.
 *
 * A signed-in user is known by the HttpOnly cookie that `login` sets, so the page never holds that
 * token. A participant who came by a join link has a token of their own, which wins over the cookie.
 */

export type Role = "host" | "presenter" | "attendee";
export type Access = "collaborate" | "view_only";
export type MeetingType = "conference" | "presentation";
export type MeetingPhase = "draft" | "scheduled" | "started" | "active" | "ended" | "complete" | "cancelled";
export type CallPhase =
  | "queued"
  | "dialling"
  | "ringing"
  | "answered"
  | "confirming"
  | "joined"
  | "ended"
  | "failed"
  | "refused"
  | "cancelled";

/** The signed-in user. */
export interface Me {
  id: string;
  display_name: string;
  first: string;
  last: string;
  login: string;
  extension: string | null;
  tenant_role: string;
  tenant: string;
  caller_id: { number: string; display: string } | null;
}

export interface Device {
  name: string;
  kind: string;
  label: string;
  registered: boolean;
}

/** Another user of the tenant. `number` is the user's own phone number, if there is one. */
export interface User {
  id: string;
  display_name: string;
  extension?: string | null;
  mail?: string | null;
  number?: string | null;
  devices?: Device[];
}

export interface Person {
  id: string;
  user?: string | null;
  display_name: string;
  number?: string | null;
  email?: string | null;
  role: Role;
  access: Access;
  source?: string;
  /** Missing in events that tell of the list alone. */
  present?: boolean;
  leg_kind?: string | null;
  /** Their personal join link; told to Hosts only. */
  link?: string | null;
  muted_by_self?: boolean;
  muted_by_host?: boolean;
}

export interface Meeting {
  id: string;
  number: string;
  title: string;
  type: MeetingType;
  state: MeetingPhase;
  owner?: string | null;
  alias?: string | null;
  link?: string;
  created_at?: number;
  people?: Person[];
  my_role?: Role | null;
}

export interface JoinInfo {
  text: string;
  link: string;
  meeting_number: string;
  title: string;
  sip_uri?: string | null;
}

/** One attempt to call somebody, as events and snapshots tell it. */
export interface Call {
  call: string;
  person?: string | null;
  state: CallPhase;
  cause?: string | null;
  sip_code?: number | null;
  words?: string | null;
  target?: string | null;
  display_name?: string | null;
  role?: Role;
  number?: string | null;
  at?: number;
}

export type ResolvePurpose = "people" | "invite" | "call";
export type MatchKind = "user" | "device" | "number" | "email" | "extension" | "refused" | "unknown";

/** One answer to the question who a typed text means. */
export interface Match {
  kind: MatchKind;
  user?: User | null;
  device?: string | null;
  number?: string | null;
  email?: string | null;
  display: string;
  reason?: string | null;
  detail?: string | null;
  mend?: string | null;
}

export interface PersonDraft {
  user?: string;
  email?: string;
  number?: string;
  name?: string;
  role: Role;
  access: Access;
}

export type CallTarget =
  | { user: string; device: string; role: Role; access?: Access }
  | { number: string; role: Role; name?: string; access?: Access };

/** What became of one target of CALL: an id to follow, or why it was refused. */
export interface CallReceipt {
  id?: string;
  state: CallPhase;
  number?: string;
  reason?: string;
  detail?: string;
  mend?: string;
}

export interface WebrtcAnswer {
  sdp: string;
  leg: number;
  person: string;
  video_slots: number;
}

export interface JoinPreview {
  meeting: { id: string; title: string };
  person?: { display_name?: string | null; role?: Role } | null;
}

export interface Joined {
  token: string;
  meeting: Meeting;
  person: Person;
}

/** An error body (RFC 9457), with the field at fault and how to mend it. */
export interface Problem {
  type?: string;
  title: string;
  status: number;
  detail?: string;
  field?: string;
  mend?: string;
  request_id?: string;
}

/** The server refused, or could not be reached (`status` 0). */
export class ApiError extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail ?? problem.title);
  }

  get status(): number {
    return this.problem.status;
  }
}

interface Send {
  body?: unknown;
  headers?: Record<string, string>;
}

const part = encodeURIComponent;

export class Api {
  /** @param token the participant token of a join link; none for a signed-in user (cookie) */
  constructor(private readonly token: string | null = null) {}

  login(login: string, password: string): Promise<{ user: Me }> {
    return this.send("POST", "/login", { body: { login, password } });
  }

  logout(): Promise<void> {
    return this.send("POST", "/logout");
  }

  me(): Promise<Me> {
    return this.send("GET", "/me");
  }

  async users(query: string): Promise<User[]> {
    const { users } = await this.send<{ users: User[] }>("GET", `/users?query=${part(query)}`);
    return users;
  }

  async registeredDevices(user: string): Promise<Device[]> {
    const answer = await this.send<{ devices: Device[] } | Device[]>(
      "GET",
      `/users/${part(user)}/devices?registered=true`,
    );
    const devices = Array.isArray(answer) ? answer : answer.devices;
    return devices.filter((device) => device.registered);
  }

  async resolve(purpose: ResolvePurpose, text: string): Promise<Match[]> {
    const { results } = await this.send<{ results: { text: string; matches: Match[] }[] }>("POST", "/resolve", {
      body: { purpose, texts: [text] },
    });
    return results[0]?.matches ?? [];
  }

  async meetings(): Promise<Meeting[]> {
    const answer = await this.send<{ meetings: Meeting[] } | Meeting[]>("GET", "/meetings");
    return Array.isArray(answer) ? answer : answer.meetings;
  }

  createMeeting(draft: { title: string; type: MeetingType; people: PersonDraft[] }): Promise<Meeting> {
    return this.send("POST", "/meetings", { body: draft });
  }

  meeting(id: string): Promise<Meeting> {
    return this.send("GET", `/meetings/${part(id)}`);
  }

  joinInfo(id: string): Promise<JoinInfo> {
    return this.send("GET", `/meetings/${part(id)}/join-info`);
  }

  start(id: string): Promise<unknown> {
    return this.send("POST", `/meetings/${part(id)}/start`);
  }

  end(id: string): Promise<unknown> {
    return this.send("POST", `/meetings/${part(id)}/end`);
  }

  changePerson(meeting: string, person: string, change: { role?: Role; access?: Access }): Promise<unknown> {
    return this.send("PATCH", `/meetings/${part(meeting)}/people/${part(person)}`, { body: change });
  }

  removePerson(meeting: string, person: string): Promise<unknown> {
    return this.send("DELETE", `/meetings/${part(meeting)}/people/${part(person)}`);
  }

  mute(meeting: string, person: string, muted: boolean): Promise<unknown> {
    return this.send("POST", `/meetings/${part(meeting)}/people/${part(person)}/${muted ? "mute" : "unmute"}`);
  }

  /** CALL. The same `key` never dials twice, however often the request is repeated. */
  async call(meeting: string, targets: CallTarget[], key: string): Promise<CallReceipt[]> {
    const { calls } = await this.send<{ calls: CallReceipt[] }>("POST", `/meetings/${part(meeting)}/calls`, {
      body: { targets },
      headers: { "Idempotency-Key": key },
    });
    return calls;
  }

  /** Cancels a call that is not in the meeting yet, hangs up one that is. */
  endCall(call: string): Promise<unknown> {
    return this.send("DELETE", `/calls/${part(call)}`);
  }

  /** Call again, keeping role and access. Answers with the id of the new call. */
  async retryCall(call: string, key: string): Promise<CallReceipt> {
    const answer = await this.send<CallReceipt | { calls: CallReceipt[] }>("POST", `/calls/${part(call)}/retry`, {
      headers: { "Idempotency-Key": key },
    });
    return "calls" in answer ? (answer.calls[0] ?? { state: "queued" }) : answer;
  }

  joinPreview(token: string): Promise<JoinPreview> {
    return this.send("GET", `/join/${part(token)}`);
  }

  join(token: string, name: string | undefined): Promise<Joined> {
    return this.send("POST", `/join/${part(token)}`, { body: name ? { name } : {} });
  }

  async offer(meeting: string, sdp: string): Promise<WebrtcAnswer> {
    type Raw = Omit<WebrtcAnswer, "person"> & { person: string | { id: string } };
    const answer = await this.send<Raw>("POST", `/meetings/${part(meeting)}/webrtc/offer`, { body: { sdp } });
    return { ...answer, person: typeof answer.person === "string" ? answer.person : answer.person.id };
  }

  /** The address of the event stream, resuming after the event with id `after`. */
  eventsUrl(meeting: string, leg: number | null, after: number | null): string {
    const query = new URLSearchParams({ meeting });
    if (leg !== null) query.set("leg", String(leg));
    if (after !== null) query.set("after", String(after));
    if (this.token !== null) query.set("token", this.token);
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    return `${scheme}://${location.host}/v1/events?${query}`;
  }

  private async send<T>(method: string, path: string, { body, headers = {} }: Send = {}): Promise<T> {
    const init: RequestInit = { method, credentials: "same-origin", headers: { ...headers } };
    if (this.token !== null) init.headers = { ...init.headers, Authorization: `Bearer ${this.token}` };
    if (body !== undefined) {
      init.headers = { ...init.headers, "Content-Type": "application/json" };
      init.body = JSON.stringify(body);
    }
    let response: Response;
    try {
      response = await fetch(`/v1${path}`, init);
    } catch {
      throw new ApiError({ title: "unreachable", status: 0 });
    }
    if (!response.ok) throw new ApiError(await readProblem(response));
    const text = await response.text();
    return (text === "" ? undefined : JSON.parse(text)) as T;
  }
}

async function readProblem(response: Response): Promise<Problem> {
  try {
    const body = (await response.json()) as Partial<Problem>;
    return { ...body, title: body.title ?? response.statusText, status: response.status };
  } catch {
    return { title: response.statusText || `HTTP ${response.status}`, status: response.status };
  }
}

/** A key for one press of CALL: 128 random bits (`crypto.randomUUID` needs a secure context, this does not). */
export function newIdempotencyKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
