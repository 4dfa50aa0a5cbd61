import { type Command, nothing } from '../command/index.ts';
import { classifyDrbd, withoutDrbdSecrets } from './commands.ts';

/**
 * Creates a configured resource, attaches its disks and connects it. Not atomic: without metadata
 * it exits 1 and leaves the resource Diskless and StandAlone (9.22).
 */
export function drbdUp(name: string): Command<void, 'change'> {
  return change(['up', name]);
}

/** Takes a resource down, whether it is configured or not; exit 0 when there is none, 11 while a device of it is open. */
export function drbdDown(name: string): Command<void, 'change'> {
  return { ...change(['down', name]), tool: 'drbdsetup', repeatable: true };
}

/**
 * Makes this host primary: exit 17 without data that is up to date, 11 while another host is
 * primary.
 */
export function drbdPrimary(name: string): Command<void, 'change'> {
  return change(['primary', name]);
}

/**
 * Makes this host secondary: exit 11 while a device of the resource is open, for a moment also by
 * udev.
 */
export function drbdSecondary(name: string): Command<void, 'change'> {
  return { ...change(['secondary', name]), repeatable: true };
}

function change(argv: readonly string[]): Command<void, 'change'> {
  return {
    tool: 'drbdadm',
    argv,
    access: 'change',
    parse: nothing,
    classify: classifyDrbd,
    shownOf: withoutDrbdSecrets,
  };
}
