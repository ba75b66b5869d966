/** A button that opens a menu: mouse, touch and keyboard (arrows, Home, End, Escape, Tab). */

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { Icon, type IconName } from "./icons";

export interface MenuItem {
  key: string;
  label: string;
  icon?: IconName;
  danger?: boolean;
  /** Set on the first item of a group: the group's name, drawn above it. */
  heading?: string;
  /** Given for items of which exactly one holds: drawn and read as a radio item. */
  checked?: boolean;
  onSelect: () => void;
}

interface MenuProps {
  icon: IconName;
  label: string;
  items: MenuItem[];
  testid?: string;
}

export function Menu({ icon, label, items, testid }: MenuProps) {
  const [open, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);

  const close = (refocus: boolean) => {
    setOpen(false);
    if (refocus) button.current?.focus();
  };

  return (
    <span class="menu-anchor">
      <button
        ref={button}
        type="button"
        class="icon-button"
        aria-label={label}
        title={label}
        aria-haspopup="menu"
        aria-expanded={open}
        data-testid={testid}
        onClick={() => setOpen(!open)}
        onKeyDown={(event) => {
          if (event.key !== "ArrowDown") return;
          event.preventDefault();
          setOpen(true);
        }}
      >
        <Icon name={icon} />
      </button>
      {open && <MenuList items={items} label={label} anchor={button.current} onClose={close} />}
    </span>
  );
}

interface MenuListProps {
  items: MenuItem[];
  label: string;
  anchor: HTMLElement | null;
  onClose: (refocus: boolean) => void;
}

function MenuList({ items, label, anchor, onClose }: MenuListProps) {
  const list = useRef<HTMLDivElement>(null);
  usePlacement(list, anchor);
  useOutsideClose(list, anchor, onClose);

  useEffect(() => {
    const start =
      list.current?.querySelector<HTMLElement>('[aria-checked="true"]') ?? list.current?.querySelector("button");
    start?.focus();
  }, []);

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      onClose(true);
    } else if (event.key === "Tab") {
      onClose(false);
    } else if (moveFocus(list.current, event.key)) {
      event.preventDefault();
    }
  };

  return (
    <div ref={list} class="menu" role="menu" aria-label={label} onKeyDown={onKeyDown}>
      {items.map((item) => [
        item.heading && (
          <span key={`${item.key}-heading`} class="menu-heading" aria-hidden="true">
            {item.heading}
          </span>
        ),
        <button
          key={item.key}
          type="button"
          class={`menu-item${item.danger ? " menu-item-danger" : ""}`}
          role={item.checked === undefined ? "menuitem" : "menuitemradio"}
          aria-checked={item.checked}
          data-testid={`menu-${item.key}`}
          onClick={() => {
            onClose(true);
            item.onSelect();
          }}
        >
          <span class="menu-item-icon">
            {item.checked ? <Icon name="check" size={18} /> : item.icon ? <Icon name={item.icon} size={18} /> : null}
          </span>
          {item.label}
        </button>,
      ])}
    </div>
  );
}

/** Moves the focus among the buttons of a list by arrow, Home or End; whether the key meant that. */
function moveFocus(list: HTMLElement | null, key: string): boolean {
  const buttons = [...(list?.querySelectorAll("button") ?? [])];
  const current = buttons.indexOf(document.activeElement as HTMLButtonElement);
  const last = buttons.length - 1;
  const targets: Record<string, number> = {
    ArrowDown: current >= last ? 0 : current + 1,
    ArrowUp: current <= 0 ? last : current - 1,
    Home: 0,
    End: last,
  };
  const target = targets[key];
  if (target === undefined) return false;
  buttons[target]?.focus();
  return true;
}

const EDGE = 8;

/** Puts the list under its button (above it where there is no room), inside the window. */
function usePlacement(list: { current: HTMLDivElement | null }, anchor: HTMLElement | null): void {
  useLayoutEffect(() => {
    const element = list.current;
    if (!element || !anchor) return;
    const from = anchor.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = element;
    const below = from.bottom + 4;
    const fits = below + height + EDGE <= window.innerHeight;
    element.style.top = `${Math.max(EDGE, fits ? below : from.top - height - 4)}px`;
    element.style.left = `${Math.max(EDGE, Math.min(from.right - width, window.innerWidth - width - EDGE))}px`;
  }, []);
}

function useOutsideClose(
  list: { current: HTMLDivElement | null },
  anchor: HTMLElement | null,
  onClose: (refocus: boolean) => void,
): void {
  useEffect(() => {
    const close = (event: Event) => {
      const target = event.target as Node | null;
      if (target && (list.current?.contains(target) || anchor?.contains(target))) return;
      onClose(false);
    };
    const away = () => onClose(false);
    document.addEventListener("pointerdown", close, true);
    document.addEventListener("scroll", close, true);
    window.addEventListener("resize", away);
    return () => {
      document.removeEventListener("pointerdown", close, true);
      document.removeEventListener("scroll", close, true);
      window.removeEventListener("resize", away);
    };
  }, []);
}
