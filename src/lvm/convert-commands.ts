import type { Command } from '../command/index.ts';
import { change, type Udev } from './commands.ts';

/**
 * A volume, and the devices on which it gets or loses a copy. lvconvert accepts no `--select`, so
 * compare the uuid before and after.
 */
export interface Converted extends Udev {
  readonly vg: string;
  readonly name: string;
  readonly devices: readonly string[];
}

/**
 * Converts a linear volume to a raid1 of two copies, the second on these devices. Returns at once;
 * the kernel fills the new copy. The volume may be in use, and keeps its name, uuid and extents.
 * `--yes` answers the only question, a confirmation (2.03.16).
 */
export function addCopy(of: Converted): Command<void, 'change'> {
  const argv = ['--type', 'raid1', '--mirrors', '1', '--yes', `${of.vg}/${of.name}`, ...of.devices];
  return change('lvconvert', argv, of);
}

/**
 * Converts a raid1 of two copies to linear by removing the copy on these devices. `--yes` answers
 * the only question, a confirmation. Does nothing to a linear volume, and exits with 0 (2.03.16).
 */
export function dropCopy(of: Converted): Command<void, 'destroy'> {
  const argv = ['--mirrors', '0', '--yes', `${of.vg}/${of.name}`, ...of.devices];
  return { ...change('lvconvert', argv, of), access: 'destroy' };
}
