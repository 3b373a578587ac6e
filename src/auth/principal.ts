import { ROLES, type Role } from '../config/auth.config.js';

/** Who sent a request: the key that was presented, by name. */
export interface Principal {
  readonly name: string;
  readonly role: Role;
}

/** Whether a role includes another. */
export function includesRole(role: Role, needed: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(needed);
}
