/** Loads something when a page opens, and again when its key changes. */

import { useCallback, useEffect, useState } from "preact/hooks";
import { errorWords } from "./errors";

export type Loading<Value> =
  { step: "loading" } | { step: "failed"; words: string; error: unknown } | { step: "done"; value: Value };

export function useLoad<Value>(key: string, load: () => Promise<Value>): [Loading<Value>, () => void] {
  const [state, setState] = useState<Loading<Value>>({ step: "loading" });
  const [round, setRound] = useState(0);

  useEffect(() => {
    let stale = false;
    load().then(
      (value) => !stale && setState({ step: "done", value }),
      (error: unknown) => !stale && setState({ step: "failed", words: errorWords(error), error }),
    );
    return () => {
      stale = true;
    };
  }, [key, round]);

  return [state, useCallback(() => setRound((count) => count + 1), [])];
}
