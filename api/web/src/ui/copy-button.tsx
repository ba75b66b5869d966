/** Copies a text, says so, and falls back to a selected text field where the browser refuses (I91). */

import { useEffect, useRef, useState } from "preact/hooks";
import { words } from "../words";
import { Icon } from "./icons";

interface CopyButtonProps {
  text: string;
  label: string;
  primary?: boolean;
}

type Outcome = "none" | "copied" | "by-hand";

const COPIED_MS = 3_000;

export function CopyButton({ text, label, primary = false }: CopyButtonProps) {
  const [outcome, setOutcome] = useState<Outcome>("none");
  const field = useRef<HTMLTextAreaElement>(null);

  useEffect(() => {
    if (outcome === "by-hand") field.current?.select();
    if (outcome !== "copied") return;
    const timer = setTimeout(() => setOutcome("none"), COPIED_MS);
    return () => clearTimeout(timer);
  }, [outcome]);

  const copy = async () => {
    setOutcome("none");
    setOutcome((await copyText(text)) ? "copied" : "by-hand");
  };

  return (
    <div class="copy">
      <button type="button" class={primary ? "button button-primary" : "button"} data-testid="copy-info" onClick={copy}>
        <Icon name={outcome === "copied" ? "check" : "copy"} />
        {outcome === "copied" ? words.common.copied : label}
      </button>
      <span class="visually-hidden" role="status">
        {outcome === "copied" ? words.common.copied : ""}
      </span>
      {outcome === "by-hand" && (
        <div class="copy-by-hand">
          <p class="note" role="alert">
            {words.common.copyByHand}
          </p>
          <textarea ref={field} class="field" readOnly rows={7} value={text} aria-label={label} data-testid="copy-fallback" />
        </div>
      )}
    </div>
  );
}

/** Whether the text reached the clipboard. There is no clipboard at all on plain http. */
async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
