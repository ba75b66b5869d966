/** Short confirmations at the edge of the screen, read out politely. */

import { createStore, useStore } from "../state/store";
import { Icon } from "./icons";

interface Toast {
  id: number;
  text: string;
}

type ToastAction = { type: "show"; toast: Toast } | { type: "hide"; id: number };

const SHOWN_MS = 5_000;
const AT_MOST = 3;

const store = createStore<readonly Toast[], ToastAction>(
  (toasts, action) =>
    action.type === "show"
      ? [...toasts, action.toast].slice(-AT_MOST)
      : toasts.filter((toast) => toast.id !== action.id),
  [],
);

let nextId = 1;

export function toast(text: string): void {
  const id = nextId++;
  store.dispatch({ type: "show", toast: { id, text } });
  setTimeout(() => store.dispatch({ type: "hide", id }), SHOWN_MS);
}

export function Toasts() {
  const toasts = useStore(store);
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.map(({ id, text }) => (
        <div key={id} class="toast">
          <Icon name="check" size={18} />
          {text}
        </div>
      ))}
    </div>
  );
}
