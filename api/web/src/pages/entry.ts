/** The way from a page into a meeting: Hosts start it; everybody else, and a running meeting, is joined. */

import { useState } from "preact/hooks";
import { Api, type Meeting } from "../api/client";
import { errorWords } from "../ui/errors";
import { navigate } from "../ui/router";
import { words } from "../words";

const api = new Api();

interface MeetingEntry {
  /** `Start`, `Join`, or `null` when the meeting is over for good. */
  label: string | null;
  busy: boolean;
  problem: string | null;
  go: () => Promise<void>;
}

export function useEntry(meeting: Meeting): MeetingEntry {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const running = meeting.state === "active" || meeting.state === "started";
  const over = meeting.state === "complete" || meeting.state === "cancelled";
  const starts = !running && meeting.my_role === "host";

  const go = async () => {
    setBusy(true);
    setProblem(null);
    try {
      if (starts) await api.start(meeting.id);
      navigate(`/meetings/${meeting.id}/live`);
    } catch (error) {
      setProblem(errorWords(error));
      setBusy(false);
    }
  };

  return { label: over ? null : starts ? words.details.start : words.details.join, busy, problem, go };
}
