import { Api, type Me, type Meeting } from "../api/client";
import { ErrorNote, Spinner } from "../ui/bits";
import { formatMeetingNumber, formatWhen } from "../ui/format";
import { Icon } from "../ui/icons";
import { useLoad } from "../ui/load";
import { Link } from "../ui/router";
import { words } from "../words";
import { useEntry } from "./entry";

const api = new Api();

export function StartPage({ me }: { me: Me }) {
  const [meetings] = useLoad("meetings", () => api.meetings());
  return (
    <>
      <div class="page-head">
        <h1>{words.start.greeting(me.first || me.display_name)}</h1>
        {me.tenant_role !== "guest" && (
          <Link to="/create" class="button button-primary" testid="create-meeting">
            <Icon name="plus" />
            {words.start.create}
          </Link>
        )}
      </div>
      <section aria-labelledby="meetings-heading">
        <h2 id="meetings-heading" class="section-heading">
          {words.start.heading}
        </h2>
        {meetings.step === "loading" && <Spinner />}
        {meetings.step === "failed" && <ErrorNote>{meetings.words}</ErrorNote>}
        {meetings.step === "done" && <MeetingList meetings={meetings.value} />}
      </section>
    </>
  );
}

function MeetingList({ meetings }: { meetings: Meeting[] }) {
  if (meetings.length === 0) return <p class="empty">{words.start.empty}</p>;
  return (
    <ul class="rows card">
      {meetings.map((meeting) => (
        <MeetingRow key={meeting.id} meeting={meeting} />
      ))}
    </ul>
  );
}

function MeetingRow({ meeting }: { meeting: Meeting }) {
  const entry = useEntry(meeting);
  const running = meeting.state === "active" || meeting.state === "started";
  const facts = [
    formatWhen(meeting.created_at),
    formatMeetingNumber(meeting.number),
    meeting.people ? words.start.people(meeting.people.length) : "",
  ];
  return (
    <li class="row meeting-row" data-testid="meeting-row">
      <Link to={`/meetings/${meeting.id}`} class="meeting-link">
        <span class="row-title">{meeting.title}</span>
        <span class="row-detail row-facts">
          {facts.filter(Boolean).map((fact) => (
            <span key={fact}>{fact}</span>
          ))}
        </span>
      </Link>
      {running && <span class="tag tag-live">{words.start.states[meeting.state]}</span>}
      {entry.problem && <span class="call-line call-line-bad">{entry.problem}</span>}
      {entry.label && (
        <button
          type="button"
          class="button button-small meeting-go"
          data-testid="row-start"
          disabled={entry.busy}
          onClick={entry.go}
        >
          {entry.label}
          <span class="visually-hidden"> {meeting.title}</span>
        </button>
      )}
    </li>
  );
}
