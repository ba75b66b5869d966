/** Routes by path, with the browser's history. */

import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";

export type Route =
  | { page: "start" }
  | { page: "create" }
  | { page: "details"; meeting: string }
  | { page: "live"; meeting: string }
  | { page: "join"; token: string }
  | { page: "unknown" };

export function parseRoute(path: string): Route {
  const [first, second, third, ...rest] = path.split("/").filter(Boolean).map(decode);
  if (first === undefined) return { page: "start" };
  if (rest.length > 0) return { page: "unknown" };
  if (first === "create" && second === undefined) return { page: "create" };
  if (first === "join" && second !== undefined && third === undefined) return { page: "join", token: second };
  if (first === "meetings" && second !== undefined) {
    if (third === undefined) return { page: "details", meeting: second };
    if (third === "live") return { page: "live", meeting: second };
  }
  return { page: "unknown" };
}

/** A path that was typed wrong leads to the "nothing here" page, not to an error. */
function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export function navigate(path: string): void {
  history.pushState(null, "", path);
  dispatchEvent(new PopStateEvent("popstate"));
}

export function useRoute(): Route {
  const [path, setPath] = useState(location.pathname);
  useEffect(() => {
    const update = () => {
      setPath(location.pathname);
      scrollTo(0, 0);
      requestAnimationFrame(focusPage);
    };
    addEventListener("popstate", update);
    return () => removeEventListener("popstate", update);
  }, []);
  return parseRoute(path);
}

/** Puts the keyboard where the new page begins: into its first field, or at its top. */
function focusPage(): void {
  const start = document.querySelector<HTMLElement>("[autofocus]") ?? document.getElementById("main");
  start?.focus();
}

interface LinkProps {
  to: string;
  class?: string;
  testid?: string;
  children: ComponentChildren;
}

export function Link({ to, class: className, testid, children }: LinkProps) {
  return (
    <a
      href={to}
      class={className}
      data-testid={testid}
      onClick={(event) => {
        if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
        event.preventDefault();
        navigate(to);
      }}
    >
      {children}
    </a>
  );
}
