/** How numbers and dates are written. */

/** Writes an E.164 number with gaps: +1 202 555 0100. Numbers of other shapes stay as they are. */
export function formatNumber(number: string): string {
  const national = /^\+1(\d{3})(\d{3})(\d{4})$/.exec(number);
  return national ? `+1 ${national[1]} ${national[2]} ${national[3]}` : number;
}

/** A person's name as shown; somebody known by a bare number is shown by that number. */
export function shownName(person: { display_name?: string | null; number?: string | null }): string {
  return formatNumber(person.display_name || person.number || "");
}

/** Writes a meeting id in groups of three: 123 456 789. */
export function formatMeetingNumber(number: string): string {
  return number.replace(/(\d{3})(?=\d)/g, "$1 ");
}

/** Puts a reason and its mend together, once each: "Busy. Call again later." */
export function joinSentences(first: string | null | undefined, second: string | null | undefined): string {
  return capitalised(join(first ?? "", second ?? ""));
}

function join(first: string, second: string): string {
  if (first === "" || second === "") return first || second;
  if (first.includes(second)) return first;
  return second.startsWith(first) ? second : `${first.replace(/[.]$/, "")}. ${second}`;
}

/** The server's details begin small, as parts of a sentence; a reader gets a whole one. */
function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export function formatWhen(at: number | undefined): string {
  if (at === undefined) return "";
  return new Date(at).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}
