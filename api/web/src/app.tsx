import { useEffect, useState } from "preact/hooks";
import { Api, ApiError, type Me } from "./api/client";
import { CreatePage } from "./pages/create";
import { DetailsPage } from "./pages/details";
import { LinkPage, UserLivePage } from "./pages/live-pages";
import { LoginPage } from "./pages/login";
import { StartPage } from "./pages/start";
import { ErrorNote, Spinner } from "./ui/bits";
import { errorWords } from "./ui/errors";
import { Link, navigate, type Route, useRoute } from "./ui/router";
import { Shell } from "./ui/shell";
import { Toasts } from "./ui/toast";
import { words } from "./words";

const api = new Api();

export function App() {
  const route = useRoute();
  return (
    <>
      {route.page === "join" ? <LinkPage key={route.token} token={route.token} /> : <SignedIn route={route} />}
      <Toasts />
    </>
  );
}

type Session = { step: "asking" } | { step: "out" } | { step: "in"; me: Me } | { step: "failed"; words: string };

/** Everything but join links needs a signed-in user; the login page stands in front and leads back. */
function SignedIn({ route }: { route: Route }) {
  const [session, setSession] = useState<Session>({ step: "asking" });

  useEffect(() => {
    api.me().then(
      (me) => setSession({ step: "in", me }),
      (error: unknown) => {
        const out = error instanceof ApiError && error.status === 401;
        setSession(out ? { step: "out" } : { step: "failed", words: errorWords(error) });
      },
    );
  }, []);

  const signOut = async () => {
    await api.logout().catch(() => undefined); // signed out here whatever the server says
    setSession({ step: "out" });
    navigate("/");
  };

  if (session.step === "asking") return <Spinner />;
  if (session.step === "out") return <LoginPage onSignedIn={(me) => setSession({ step: "in", me })} />;
  if (session.step === "failed") {
    return (
      <Shell title={words.product} narrow>
        <ErrorNote>{session.words}</ErrorNote>
      </Shell>
    );
  }
  const { me } = session;
  if (route.page === "live") return <UserLivePage key={route.meeting} id={route.meeting} me={me} />;
  return (
    <Shell title={titleOf(route)} me={me} onSignOut={signOut}>
      <Page route={route} me={me} />
    </Shell>
  );
}

function titleOf(route: Route): string {
  return route.page === "create" ? words.create.heading : words.product;
}

function Page({ route, me }: { route: Route; me: Me }) {
  switch (route.page) {
    case "start":
      return <StartPage me={me} />;
    case "create":
      return <CreatePage me={me} />;
    case "details":
      return <DetailsPage key={route.meeting} id={route.meeting} />;
    default:
      return (
        <div class="empty-panel">
          <h1>{words.common.notFound}</h1>
          <Link to="/" class="button button-primary">
            {words.common.toStart}
          </Link>
        </div>
      );
  }
}
