import type { Role } from "../api/client";
import { words } from "../words";
import { Menu } from "./menu";

export const ROLES: readonly Role[] = ["host", "presenter", "attendee"];

interface RoleMenuProps {
  name: string;
  role: Role;
  onRole: (role: Role) => void;
  testid?: string;
}

/** The `Role` icon of a row: one of three roles. */
export function RoleMenu({ name, role, onRole, testid }: RoleMenuProps) {
  return (
    <Menu
      icon="role"
      label={words.common.roleOf(name, words.roles[role])}
      testid={testid}
      items={ROLES.map((each, index) => ({
        key: `role-${each}`,
        heading: index === 0 ? words.common.role : undefined,
        label: words.roles[each],
        checked: each === role,
        onSelect: () => onRole(each),
      }))}
    />
  );
}
