import { useState } from "preact/hooks";
import { Api, type Me, type MeetingType, type PersonDraft, type Role } from "../api/client";
import { ErrorNote } from "../ui/bits";
import { errorWords } from "../ui/errors";
import { Link, navigate } from "../ui/router";
import { toast } from "../ui/toast";
import { words } from "../words";
import { type DraftPerson, PeopleEditor } from "./people-editor";

const api = new Api();
const TYPES: readonly MeetingType[] = ["conference", "presentation"];

export function CreatePage({ me }: { me: Me }) {
  const [title, setTitle] = useState("");
  const [type, setType] = useState<MeetingType>("conference");
  const [people, setPeople] = useState<readonly DraftPerson[]>([]);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);

  const submit = async (event: Event) => {
    event.preventDefault();
    if (title.trim() === "") return setProblem(words.create.titleMissing);
    setBusy(true);
    setProblem(null);
    try {
      const meeting = await api.createMeeting({ title: title.trim(), type, people: people.map(wirePerson) });
      toast(words.create.created);
      navigate(`/meetings/${meeting.id}`);
    } catch (error) {
      setProblem(errorWords(error));
      setBusy(false);
    }
  };

  return (
    <form onSubmit={submit} noValidate>
      <div class="page-head">
        <h1>{words.create.heading}</h1>
      </div>
      <div class="columns">
        <div class="card stack">
          <label class="labelled">
            <span>{words.create.title}</span>
            <input
              class="field"
              autofocus
              maxLength={200}
              placeholder={words.create.titlePlaceholder}
              data-testid="meeting-title"
              value={title}
              onInput={(event) => {
                setTitle(event.currentTarget.value);
                setProblem(null);
              }}
            />
          </label>
          <TypeChoice type={type} onType={setType} />
        </div>
        <section class="card stack" aria-labelledby="people-heading">
          <h2 id="people-heading" class="section-heading">
            {words.create.people}
          </h2>
          <PeopleEditor api={api} me={me.id} people={people} onPeople={setPeople} />
        </section>
      </div>
      {problem && <ErrorNote>{problem}</ErrorNote>}
      <div class="page-foot">
        <Link to="/" class="button">
          {words.common.back}
        </Link>
        <button type="submit" class="button button-primary" data-testid="next" disabled={busy}>
          {words.create.next}
        </button>
      </div>
    </form>
  );
}

function TypeChoice({ type, onType }: { type: MeetingType; onType: (type: MeetingType) => void }) {
  return (
    <fieldset class="choices">
      <legend>{words.create.type}</legend>
      {TYPES.map((each) => (
        <label key={each} class="choice">
          <input type="radio" name="type" value={each} checked={type === each} onChange={() => onType(each)} />
          <span>
            <span class="row-title">{words.create.types[each]}</span>
            <span class="row-detail">{words.create.typeHints[each]}</span>
          </span>
        </label>
      ))}
    </fieldset>
  );
}

function wirePerson({ who, role }: { who: DraftPerson["who"]; role: Role }): PersonDraft {
  const rights = { role, access: "collaborate" } as const;
  if (who.kind === "user") return { user: who.user.id, ...rights };
  if (who.kind === "email") return { email: who.email, ...rights };
  return { number: who.number, ...rights };
}
