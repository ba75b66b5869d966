/** The frame of every page outside a meeting. */

import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import type { Me } from "../api/client";
import { words } from "../words";
import { Avatar } from "./bits";
import { Icon, Logo } from "./icons";
import { Link } from "./router";

interface ShellProps {
  title: string;
  me?: Me | null;
  onSignOut?: () => void;
  narrow?: boolean;
  children: ComponentChildren;
}

export function Shell({ title, me, onSignOut, narrow = false, children }: ShellProps) {
  useTitle(title);
  return (
    <div class="page">
      <a class="skip-link" href="#main">
        {words.common.skip}
      </a>
      <header class="topbar">
        <Link to="/" class="brand">
          <Logo />
          <span>{words.product}</span>
        </Link>
        {me && (
          <div class="topbar-me">
            <Avatar name={me.display_name} />
            <span class="topbar-name">{me.display_name}</span>
            {onSignOut && (
              <button type="button" class="button button-quiet" onClick={onSignOut} data-testid="sign-out">
                <Icon name="exit" size={18} />
                <span class="wide-only">{words.login.signOut}</span>
                <span class="visually-hidden narrow-only">{words.login.signOut}</span>
              </button>
            )}
          </div>
        )}
      </header>
      <main id="main" class={narrow ? "main main-narrow" : "main"} tabIndex={-1}>
        {children}
      </main>
    </div>
  );
}

export function useTitle(title: string): void {
  useEffect(() => {
    document.title = title === words.product ? title : `${title} · ${words.product}`;
  }, [title]);
}
