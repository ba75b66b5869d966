import { Api, type JoinInfo, type Meeting, type Person } from "../api/client";
import { Avatar, ErrorNote, RoleTag, Spinner, ViewOnlyTag } from "../ui/bits";
import { CopyButton, CopyIcon } from "../ui/copy-button";
import { formatMeetingNumber, formatNumber, formatWhen, shownName } from "../ui/format";
import { isBareMail, isBareNumber } from "../state/select";
import { useLoad } from "../ui/load";
import { Link } from "../ui/router";
import { useTitle } from "../ui/shell";
import { words } from "../words";
import { useEntry } from "./entry";

const api = new Api();

interface Details {
  meeting: Meeting;
  info: JoinInfo;
}

export function DetailsPage({ id }: { id: string }) {
  const [details] = useLoad<Details>(id, async () => {
    const [meeting, info] = await Promise.all([api.meeting(id), api.joinInfo(id)]);
    return { meeting, info };
  });
  if (details.step === "loading") return <Spinner />;
  if (details.step === "failed") {
    return (
      <>
        <ErrorNote>{details.words}</ErrorNote>
        <div class="page-foot">
          <Link to="/" class="button">
            {words.common.back}
          </Link>
        </div>
      </>
    );
  }
  return <DetailsView {...details.value} />;
}

function DetailsView({ meeting, info }: Details) {
  useTitle(meeting.title);
  const people = meeting.people ?? [];
  const facts = [words.create.types[meeting.type], words.start.states[meeting.state], formatWhen(meeting.created_at)];
  return (
    <>
      <div class="page-head">
        <div>
          <h1>{meeting.title}</h1>
          <p class="row-detail">{facts.filter(Boolean).join(" · ")}</p>
        </div>
      </div>
      <div class="columns">
        <section class="card stack" aria-labelledby="join-information">
          <h2 id="join-information" class="section-heading">
            {words.details.joinInformation}
          </h2>
          <JoinInformation info={info} />
          <CopyButton text={info.text} label={words.details.copy} />
        </section>
        <section class="card stack" aria-labelledby="people">
          <h2 id="people" class="section-heading">
            {words.details.people}
          </h2>
          {people.length === 0 && <p class="empty">{words.details.peopleEmpty}</p>}
          <ul class="rows">
            {people.map((person) => (
              <SavedRow key={person.id} person={person} />
            ))}
          </ul>
        </section>
      </div>
      <StartFoot meeting={meeting} />
    </>
  );
}

function JoinInformation({ info }: { info: JoinInfo }) {
  return (
    <dl class="facts">
      <dt>{words.details.link}</dt>
      <dd>
        <a href={info.link}>{info.link}</a>
      </dd>
      <dt>{words.details.meetingId}</dt>
      <dd>{formatMeetingNumber(info.meeting_number)}</dd>
      {info.sip_uri && (
        <>
          <dt>{words.details.sip}</dt>
          <dd>{info.sip_uri}</dd>
        </>
      )}
    </dl>
  );
}

function SavedRow({ person }: { person: Person }) {
  const reach = [person.number ? formatNumber(person.number) : "", person.email ?? ""].filter(
    (each) => each !== shownName(person),
  );
  const numberOnly = isBareNumber(person);
  const icon = numberOnly ? "phone" : isBareMail(person) ? "mail" : undefined;
  return (
    <li class="row row-wraps">
      <Avatar name={person.display_name} icon={icon} />
      <span class="row-text">
        <span class="row-line">
          <span class="row-title">{shownName(person)}</span>
          {person.role !== "attendee" && <RoleTag role={person.role} />}
          {person.access === "view_only" && <ViewOnlyTag />}
        </span>
        <span class="row-detail">
          {person.source === "call"
            ? words.details.called
            : numberOnly
              ? words.create.noEmail
              : reach.filter(Boolean).join(" · ")}
        </span>
      </span>
      {person.link && (
        <span class="row-actions">
          <CopyIcon text={person.link} label={words.details.copyLinkOf(shownName(person))} />
        </span>
      )}
    </li>
  );
}

function StartFoot({ meeting }: { meeting: Meeting }) {
  const entry = useEntry(meeting);
  return (
    <>
      {entry.problem && <ErrorNote>{entry.problem}</ErrorNote>}
      <div class="page-foot">
        <Link to="/" class="button">
          {words.common.back}
        </Link>
        {entry.label && (
          <button
            type="button"
            class="button button-primary"
            data-testid="start-meeting"
            disabled={entry.busy}
            onClick={entry.go}
          >
            {entry.label}
          </button>
        )}
      </div>
    </>
  );
}
