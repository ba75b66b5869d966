import { useState } from "preact/hooks";
import { Api, ApiError, type Me } from "../api/client";
import { ErrorNote } from "../ui/bits";
import { errorWords } from "../ui/errors";
import { Logo } from "../ui/icons";
import { useTitle } from "../ui/shell";
import { words } from "../words";

const api = new Api();

export function LoginPage({ onSignedIn }: { onSignedIn: (me: Me) => void }) {
  useTitle(words.login.title);
  const [login, setLogin] = useState("");
  const [password, setPassword] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);

  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      onSignedIn((await api.login(login, password)).user);
    } catch (error) {
      const refused = error instanceof ApiError && error.status === 401;
      setProblem(refused ? words.login.refused : errorWords(error));
      setBusy(false);
    }
  };

  return (
    <main class="login">
      <div class="login-brand">
        <Logo size={52} />
        <h1>{words.product}</h1>
        <p>{words.login.intro}</p>
      </div>
      <form class="card login-form" onSubmit={submit} data-testid="login-form">
        <h2 class="visually-hidden">{words.login.title}</h2>
        <label class="labelled">
          <span>{words.login.login}</span>
          <input
            class="field"
            name="login"
            autocomplete="username"
            autocapitalize="none"
            required
            autofocus
            value={login}
            onInput={(event) => setLogin(event.currentTarget.value)}
          />
        </label>
        <label class="labelled">
          <span>{words.login.password}</span>
          <input
            class="field"
            name="password"
            type="password"
            autocomplete="current-password"
            required
            value={password}
            onInput={(event) => setPassword(event.currentTarget.value)}
          />
        </label>
        {problem && <ErrorNote>{problem}</ErrorNote>}
        <button type="submit" class="button button-primary button-wide" disabled={busy}>
          {words.login.submit}
        </button>
      </form>
    </main>
  );
}
