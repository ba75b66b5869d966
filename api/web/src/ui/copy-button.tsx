/** Copies a text, says so, and falls back to a selected text field where the browser refuses (I91). */

import { useEffect, useRef, useState } from "preact/hooks";
import { words } from "../words";
import { IconButton } from "./bits";
import { Icon } from "./icons";

interface CopyButtonProps {
  text: string;
  label: string;
  primary?: boolean;
}

/** What became of a try to copy; "Copied" is taken back after a while. */
type Outcome = "none" | "copied" | "by-hand";

const COPIED_MS = 3_000;

export function CopyButton({ text, label, primary = false }: CopyButtonProps) {
  const { outcome, copy } = useCopy(text);
  return (
    <div class="copy">
      <button type="button" class={primary ? "button button-primary" : "button"} data-testid="copy-info" onClick={copy}>
        <Icon name={outcome === "copied" ? "check" : "copy"} />
        {outcome === "copied" ? words.common.copied : label}
      </button>
      <CopyOutcome outcome={outcome} text={text} label={label} />
    </div>
  );
}

/** The same as a small icon, for rows. */
export function CopyIcon({ text, label }: Omit<CopyButtonProps, "primary">) {
  const { outcome, copy } = useCopy(text);
  return (
    <>
      <IconButton
        icon={outcome === "copied" ? "check" : "copy"}
        label={outcome === "copied" ? words.common.copied : label}
        onClick={copy}
        testid="copy-link"
      />
      <CopyOutcome outcome={outcome} text={text} label={label} />
    </>
  );
}

function CopyOutcome({ outcome, text, label }: { outcome: Outcome; text: string; label: string }) {
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    if (outcome === "by-hand") field.current?.select();
  }, [outcome]);
  return (
    <>
      <span class="visually-hidden" role="status">
        {outcome === "copied" ? words.common.copied : ""}
      </span>
      {outcome === "by-hand" && (
        <div class="copy-by-hand">
          <p class="note" role="alert">
            {words.common.copyByHand}
          </p>
          <textarea
            ref={field}
            class="field"
            readOnly
            rows={Math.min(7, text.split("\n").length + 1)}
            value={text}
            aria-label={label}
            data-testid="copy-fallback"
          />
        </div>
      )}
    </>
  );
}

function useCopy(text: string): { outcome: Outcome; copy: () => Promise<void> } {
  const [outcome, setOutcome] = useState<Outcome>("none");
  useEffect(() => {
    if (outcome !== "copied") return;
    const timer = setTimeout(() => setOutcome("none"), COPIED_MS);
    return () => clearTimeout(timer);
  }, [outcome]);
  return {
    outcome,
    copy: async () => {
      setOutcome("none");
      setOutcome((await copyText(text)) ? "copied" : "by-hand");
    },
  };
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
