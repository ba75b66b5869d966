/** PEOPLE while a meeting is being created: one drop-down and the list of those it has added. */

import { useState } from "preact/hooks";
import type { Api, Role } from "../api/client";
import { Avatar, IconButton, RoleTag } from "../ui/bits";
import { Combobox, type ComboOption } from "../ui/combobox";
import { RoleMenu } from "../ui/role-menu";
import { type Who, whoOptions } from "../ui/who";
import { words } from "../words";

export interface DraftPerson {
  key: string;
  who: Who;
  role: Role;
}

interface PeopleEditorProps {
  api: Api;
  /** The user who is creating: Host already, and nobody to add. */
  me: string;
  people: readonly DraftPerson[];
  onPeople: (people: readonly DraftPerson[]) => void;
}

export function PeopleEditor({ api, me, people, onPeople }: PeopleEditorProps) {
  const [message, setMessage] = useState("");

  const add = (who: Who) => {
    const key = keyOf(who);
    if (people.some((person) => person.key === key)) return setMessage(words.common.alreadyInList(nameOf(who)));
    change([...people, { key, who, role: "attendee" }]);
  };
  const change = (next: readonly DraftPerson[]) => {
    setMessage("");
    onPeople(next);
  };
  const setRole = (key: string, role: Role) =>
    change(people.map((person) => (person.key === key ? { ...person, role } : person)));
  const remove = (key: string) => change(people.filter((person) => person.key !== key));

  return (
    <>
      <Combobox
        label={words.create.peoplePrompt}
        placeholder={words.create.peoplePrompt}
        testid="people-input"
        load={async (text) => (await whoOptions(api, "people", text)).map((option) => greyIfMyself(option, me))}
        onChoose={add}
        message={message}
      />
      {people.length === 0 && <p class="empty">{words.create.peopleEmpty}</p>}
      <ul class="rows" data-testid="people-list">
        {people.map((person) => (
          <DraftRow
            key={person.key}
            person={person}
            onRole={(role) => setRole(person.key, role)}
            onRemove={() => remove(person.key)}
          />
        ))}
      </ul>
    </>
  );
}

function greyIfMyself(option: ComboOption<Who>, me: string): ComboOption<Who> {
  const mine = option.value?.kind === "user" && option.value.user.id === me;
  return mine ? { ...option, disabled: true, detail: words.create.yourself } : option;
}

interface DraftRowProps {
  person: DraftPerson;
  onRole: (role: Role) => void;
  onRemove: () => void;
}

function DraftRow({ person, onRole, onRemove }: DraftRowProps) {
  const { who, role } = person;
  const name = nameOf(who);
  return (
    <li class="row" data-testid="draft-person">
      <Avatar name={name} icon={who.kind === "number" ? "phone" : who.kind === "email" ? "mail" : undefined} />
      <span class="row-text">
        <span class="row-line">
          <span class="row-title">{name}</span>
          {role !== "attendee" && <RoleTag role={role} />}
        </span>
        <span class="row-detail">{foundBy(who)}</span>
      </span>
      <span class="row-actions">
        <RoleMenu name={name} role={role} onRole={onRole} testid="draft-role" />
        <IconButton icon="remove" label={words.common.removeWho(name)} onClick={onRemove} testid="draft-remove" />
      </span>
    </li>
  );
}

function nameOf(who: Who): string {
  if (who.kind === "user") return who.user.display_name;
  return who.kind === "email" ? who.email : who.display;
}

/** The same identity gives the same key, however it was typed. */
function keyOf(who: Who): string {
  if (who.kind === "user") return `user:${who.user.id}`;
  return who.kind === "email" ? `email:${who.email.toLowerCase()}` : `number:${who.number}`;
}

function foundBy(who: Who): string {
  if (who.kind === "number") return words.create.noEmail;
  if (who.kind === "email") return words.create.foundBy.email;
  const { extension, mail } = who.user;
  return (
    [extension ? words.common.extension(extension) : "", mail].filter(Boolean).join(" · ") || words.create.foundBy.user
  );
}
