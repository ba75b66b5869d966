/** A field with a drop-down: type to narrow, choose by mouse, touch or keyboard. Typed text alone never adds anything. */

import { useEffect, useId, useMemo, useRef, useState } from "preact/hooks";
import { words } from "../words";
import { Avatar } from "./bits";
import { errorWords } from "./errors";
import { Icon, type IconName } from "./icons";

export interface ComboOption<Value> {
  key: string;
  title: string;
  detail?: string;
  icon?: IconName;
  /** Shown but not to be chosen; `detail` says why. */
  disabled?: boolean;
  value: Value | null;
}

interface ComboboxProps<Value> {
  label: string;
  placeholder: string;
  testid: string;
  /** The options for a text; the whole list for an empty one. */
  load: (text: string) => Promise<ComboOption<Value>[]>;
  onChoose: (value: Value) => void;
  /** A message from the owner of the field, such as "already in the list". */
  message?: string;
}

const DEBOUNCE_MS = 120;

export function Combobox<Value>({ label, placeholder, testid, load, onChoose, message }: ComboboxProps<Value>) {
  const id = useId();
  const input = useRef<HTMLInputElement>(null);
  const [text, setText] = useState("");
  const [open, setOpen] = useState(false);
  const [active, setActive] = useState(0);
  const [leftOver, setLeftOver] = useState(false);
  /** Enter was pressed before the options for the text had come. */
  const impatient = useRef(false);
  const { options, problem, searching } = useOptions(load, text, open);

  const choose = (option: ComboOption<Value> | undefined) => {
    if (!option || option.disabled || option.value === null) return;
    setText("");
    setOpen(false);
    setLeftOver(false);
    onChoose(option.value);
    input.current?.focus();
  };

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      setOpen(true);
      if (open) setActive(step(options, active, event.key === "ArrowDown" ? 1 : -1));
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (open && searching) impatient.current = true;
      else if (open) choose(options[active]);
    } else if (event.key === "Escape" && open) {
      event.preventDefault();
      event.stopPropagation();
      setOpen(false);
    }
  };

  useEffect(() => {
    const first = step(options, -1, 1);
    setActive(first);
    if (impatient.current && !searching) choose(options[first]);
    if (!searching) impatient.current = false;
  }, [options]);

  const nothing = open && !searching && options.length === 0 && text.trim() !== "";
  const usable = options.some((option) => !option.disabled);
  const hint = problem ?? (leftOver && text.trim() !== "" ? unfinished(text.trim(), usable) : null) ?? message ?? "";

  return (
    <div class="combobox">
      <div class="combobox-field">
        <Icon name="plus" size={18} />
        <input
          ref={input}
          id={`${id}-input`}
          class="field"
          type="text"
          role="combobox"
          autocomplete="off"
          spellcheck={false}
          aria-label={label}
          aria-expanded={open}
          aria-controls={`${id}-list`}
          aria-autocomplete="list"
          aria-activedescendant={open && options[active] ? `${id}-${active}` : undefined}
          aria-describedby={`${id}-hint`}
          placeholder={placeholder}
          data-testid={testid}
          value={text}
          onInput={(event) => {
            setText(event.currentTarget.value);
            impatient.current = false;
            setLeftOver(false);
            setOpen(true);
          }}
          onFocus={() => setLeftOver(false)}
          onClick={() => setOpen(true)}
          onBlur={() => {
            setOpen(false);
            setLeftOver(text.trim() !== "");
          }}
          onKeyDown={onKeyDown}
        />
      </div>
      <div
        id={`${id}-list`}
        class="combobox-list"
        role="listbox"
        aria-label={label}
        hidden={!open || (options.length === 0 && !nothing)}
      >
        {options.map((option, index) => (
          <Option
            key={option.key}
            id={`${id}-${index}`}
            option={option}
            active={index === active}
            onHover={() => setActive(index)}
            onChoose={() => choose(option)}
          />
        ))}
        {nothing && (
          <div class="option option-none" role="option" aria-disabled="true" aria-selected="false">
            {words.common.nobodyMatches(text.trim())}
          </div>
        )}
      </div>
      <p id={`${id}-hint`} class="combobox-hint" role="status">
        {hint}
      </p>
    </div>
  );
}

/** What is said of a text that was typed but not chosen. */
function unfinished(text: string, usable: boolean): string {
  return usable ? words.common.notAdded(text) : words.common.nobodyMatches(text);
}

interface OptionProps<Value> {
  id: string;
  option: ComboOption<Value>;
  active: boolean;
  onHover: () => void;
  onChoose: () => void;
}

function Option<Value>({ id, option, active, onHover, onChoose }: OptionProps<Value>) {
  const element = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (active) element.current?.scrollIntoView({ block: "nearest" });
  }, [active]);
  return (
    <div
      ref={element}
      id={id}
      class={`option${active ? " option-active" : ""}`}
      role="option"
      aria-selected={active}
      aria-disabled={option.disabled ?? false}
      data-testid="option"
      // The field keeps the focus, so that choosing does not count as leaving it.
      onPointerDown={(event) => event.preventDefault()}
      onPointerMove={onHover}
      onClick={onChoose}
    >
      <Avatar name={option.title} icon={option.icon} />
      <span class="option-text">
        <span class="option-title">{option.title}</span>
        {option.detail && <span class="option-detail">{option.detail}</span>}
      </span>
    </div>
  );
}

/** The next option that can be chosen, in steps of `by`; stays where it is when there is none. */
function step<Value>(options: readonly ComboOption<Value>[], from: number, by: 1 | -1): number {
  for (let index = from + by; index >= 0 && index < options.length; index += by) {
    if (!options[index]?.disabled) return index;
  }
  return Math.max(0, from);
}

/** The options last loaded, and for which text. */
export interface Loaded<Value> {
  text: string | null;
  options: ComboOption<Value>[];
  problem: string | null;
}

/** Loads the options a moment after the last key press; an answer that came too late is thrown away. */
function useOptions<Value>(load: (text: string) => Promise<ComboOption<Value>[]>, text: string, open: boolean) {
  const [loaded, setLoaded] = useState<Loaded<Value>>({ text: null, options: [], problem: null });
  const current = useRef(load);
  current.current = load;
  const wanted = text.trim();

  useEffect(() => {
    if (!open) return;
    let stale = false;
    const timer = setTimeout(
      async () => {
        try {
          const options = await current.current(wanted);
          if (!stale) setLoaded({ text: wanted, options, problem: null });
        } catch (error) {
          if (!stale) setLoaded({ text: wanted, options: [], problem: errorWords(error) });
        }
      },
      wanted === "" ? 0 : DEBOUNCE_MS,
    );
    return () => {
      stale = true;
      clearTimeout(timer);
    };
  }, [wanted, open]);

  const options = useMemo(() => stillFitting(loaded, wanted), [loaded, wanted]);
  return { options, problem: loaded.problem, searching: loaded.text !== wanted };
}

/**
 * What may be offered for a text: until its own options have come, only those of an earlier, shorter text that hold
 * it. Nothing that does not fit may lie under a hand that types and clicks at once.
 */
export function stillFitting<Value>({ text, options }: Loaded<Value>, wanted: string): ComboOption<Value>[] {
  if (text === wanted) return options;
  if (text === null || !wanted.startsWith(text)) return [];
  const holds = (part: string | undefined) => part?.toLowerCase().includes(wanted.toLowerCase()) ?? false;
  return options.filter((option) => holds(option.title) || holds(option.detail));
}
