/** A modal window: the browser's own dialog, which keeps the focus inside and closes on Escape. */

import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { words } from "../words";
import { IconButton } from "./bits";

interface DialogProps {
  title: string;
  onClose: () => void;
  testid?: string;
  small?: boolean;
  children: ComponentChildren;
}

export function Dialog({ title, onClose, testid, small = false, children }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  const id = useId();

  useEffect(() => {
    const dialog = element.current;
    if (dialog && !dialog.open) dialog.showModal();
    return () => dialog?.close();
  }, []);

  return (
    <dialog
      ref={element}
      class={small ? "dialog dialog-small" : "dialog"}
      aria-labelledby={id}
      data-testid={testid}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => event.target === element.current && onClose()}
    >
      <div class="dialog-box">
        <header class="dialog-head">
          <h2 id={id}>{title}</h2>
          <IconButton icon="close" label={words.common.close} onClick={onClose} />
        </header>
        {children}
      </div>
    </dialog>
  );
}
