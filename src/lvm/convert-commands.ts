import type { Command } from '../command/index.ts';
import { change, type Udev } from './commands.ts';

/** A volume, and the devices that a copy of it gets or loses. lvconvert takes no `--select`: compare the uuid before and after. */
export interface Converted extends Udev {
  readonly vg: string;
  readonly name: string;
  readonly devices: readonly string[];
}

/**
 * Makes a linear volume a raid1 of two copies, the second one on these devices; it returns at once, and the kernel fills the new
 * copy. The volume may be in use, and keeps its name, uuid and extents. `--yes` answers its one question, whether that is meant
 * (2.03.16).
 */
export function addCopy(of: Converted): Command<void, 'change'> {
  const argv = ['--type', 'raid1', '--mirrors', '1', '--yes', `${of.vg}/${of.name}`, ...of.devices];
  return change('lvconvert', argv, of);
}

/**
 * Makes a raid1 of two copies linear, without the copy on these devices, which it loses. `--yes` answers its one question, whether
 * that is meant. Of a linear one it does nothing, exit 0 (2.03.16).
 */
export function dropCopy(of: Converted): Command<void, 'destroy'> {
  const argv = ['--mirrors', '0', '--yes', `${of.vg}/${of.name}`, ...of.devices];
  return { ...change('lvconvert', argv, of), access: 'destroy' };
}
