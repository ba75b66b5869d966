/** The two ways to a lobby: signed in through the meeting's page, or by a join link. */

import { Api, ApiError, type Me } from "../api/client";
import { ErrorNote, Spinner } from "../ui/bits";
import { useLoad } from "../ui/load";
import { Link } from "../ui/router";
import { Shell } from "../ui/shell";
import { words } from "../words";
import { Live } from "./live";

const api = new Api();

export function UserLivePage({ id, me }: { id: string; me: Me }) {
  const [meeting] = useLoad(id, () => api.meeting(id));
  if (meeting.step !== "done") return <Waiting problem={meeting.step === "failed" ? meeting.words : null} me={me} />;
  const { title, my_role } = meeting.value;
  return (
    <Live
      title={title}
      user={me}
      name={me.display_name}
      joinAs={my_role ? words.join.as(me.display_name, words.roles[my_role]) : words.join.asName(me.display_name)}
      admit={async () => ({ api, meeting: meeting.value })}
    />
  );
}

export function LinkPage({ token }: { token: string }) {
  const [preview] = useLoad(token, () => api.joinPreview(token));
  if (preview.step === "failed" && preview.error instanceof ApiError && [404, 410].includes(preview.error.status)) {
    return (
      <Shell title={words.join.badLink} narrow>
        <div class="empty-panel">
          <h1>{words.join.badLink}</h1>
          <p class="hint">{words.join.badLinkHint}</p>
        </div>
      </Shell>
    );
  }
  if (preview.step !== "done") return <Waiting problem={preview.step === "failed" ? preview.words : null} me={null} />;
  const { meeting, person } = preview.value;
  const name = person?.display_name || null;
  return (
    <Live
      title={meeting.title}
      user={null}
      name={name}
      joinAs={
        name === null ? "" : person?.role ? words.join.as(name, words.roles[person.role]) : words.join.asName(name)
      }
      admit={async (guestName) => {
        const joined = await api.join(token, guestName);
        return { api: new Api(joined.token), meeting: joined.meeting };
      }}
    />
  );
}

function Waiting({ problem, me }: { problem: string | null; me: Me | null }) {
  return (
    <Shell title={words.product} me={me} narrow>
      {problem === null ? <Spinner /> : <ErrorNote>{problem}</ErrorNote>}
      {problem !== null && me && (
        <Link to="/" class="button">
          {words.common.toStart}
        </Link>
      )}
    </Shell>
  );
}
