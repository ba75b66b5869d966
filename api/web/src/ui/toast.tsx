/** Short confirmations at the edge of the screen, read out politely. */

import { useLayoutEffect, useRef } from "preact/hooks";
import { createStore, useStore } from "../state/store";
import { Icon } from "./icons";

type Kind = "good" | "error";

interface Toast {
  id: number;
  text: string;
  kind: Kind;
}

type ToastAction = { type: "show"; toast: Toast } | { type: "hide"; id: number };

const SHOWN_MS: Record<Kind, number> = { good: 4_000, error: 8_000 };
const AT_MOST = 2;

const store = createStore<readonly Toast[], ToastAction>(
  (toasts, action) =>
    action.type === "show"
      ? [...toasts, action.toast].slice(-AT_MOST)
      : toasts.filter((toast) => toast.id !== action.id),
  [],
);

let nextId = 1;

export function toast(text: string, kind: Kind = "good"): void {
  const id = nextId++;
  store.dispatch({ type: "show", toast: { id, text, kind } });
  setTimeout(() => store.dispatch({ type: "hide", id }), SHOWN_MS[kind]);
}

export function Toasts() {
  const toasts = useStore(store);
  const element = useRef<HTMLDivElement>(null);

  // Shown anew with every toast: the popover opened last lies on top, also of a window opened meanwhile.
  useLayoutEffect(() => {
    const popover = element.current;
    if (!popover?.showPopover) return;
    if (popover.matches(":popover-open")) popover.hidePopover();
    popover.showPopover();
  }, [toasts]);

  return (
    <div ref={element} class="toasts" popover="manual" role="status" aria-live="polite">
      {toasts.map(({ id, text, kind }) => (
        <div key={id} class={kind === "error" ? "toast toast-error" : "toast"} data-testid="toast">
          <Icon name={kind === "error" ? "alert" : "check"} size={18} />
          {text}
        </div>
      ))}
    </div>
  );
}
