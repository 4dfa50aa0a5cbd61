import { UsageError } from '../core/errors.ts';
import { checkText } from '../core/checks.ts';

// Names that lvm reserves, from lvm(8) VALID NAMES and lib/misc/lvm-string.c of lvm2 2.03.16; each
// was tried.
const reservedPrefixes = ['snapshot', 'pvmove'];
const reservedParts = [
  ...['_cdata', '_cmeta', '_corig', '_cvol', '_wcorig', '_mimage', '_mlog', '_pmspare', '_rimage', '_rmeta'],
  ...['_tdata', '_tmeta', '_vdata', '_vorigin', '_imeta', '_iorig'],
];

/**
 * Returns the device-mapper name of a logical volume, with hyphens doubled (libdm
 * dm_build_dm_name).
 */
export function dmName(vg: string, lv: string): string {
  return `${vg.replaceAll('-', '--')}-${lv.replaceAll('-', '--')}`;
}

/** UsageError for a name that lvm refuses for a new logical volume. */
export function checkLvName(vg: string, name: string): void {
  checkVgName(vg);
  const not = (why: string): UsageError =>
    new UsageError(`"${name}" cannot be the name of a logical volume: ${why}`);
  checkCharacters('the name of the volume', name, not);
  const prefix = reservedPrefixes.find((word) => name.startsWith(word));
  if (prefix !== undefined) throw not(`names that begin with "${prefix}" are reserved by lvm`);
  const part = reservedParts.find((word) => name.includes(word));
  if (part !== undefined) throw not(`names with "${part}" in them are reserved by lvm`);
  // lvm: "length 128 is not supported" from VG + LV = 125 on; device-mapper allows 127, with
  // hyphens doubled.
  if (vg.length + name.length > 124 || dmName(vg, name).length > 127) {
    throw not(`with the volume group's name it is too long for device-mapper`);
  }
}

/** UsageError for an invalid volume group name. */
export function checkVgName(vg: string): void {
  checkCharacters(
    'the name of the volume group',
    vg,
    (why) => new UsageError(`"${vg}" cannot be the name of a volume group: ${why}`),
  );
}

/**
 * UsageError for a name that lvm refuses for a new volume group: "Name length exceeds maximum limit
 * of 127" (2.03.16).
 */
export function checkNewVgName(vg: string): void {
  checkVgName(vg);
  if (vg.length > 127)
    throw new UsageError(`"${vg}" cannot be the name of a volume group: it is longer than 127`);
}

/** UsageError for a tag that lvm refuses, or that looks like one of bofh's own. */
export function checkTag(tag: string): void {
  const not = (why: string): UsageError => new UsageError(`"${tag}" cannot be a tag: ${why}`);
  if (!/^[A-Za-z0-9_+.][A-Za-z0-9_+.\-/=!:&#]{0,1023}$/.test(tag)) {
    throw not('lvm allows letters, digits and _ + . - / = ! : & #, and no hyphen at the start');
  }
  if (tag.startsWith('bofh.')) throw not('those that begin with "bofh." are tags of bofh itself');
}

function checkCharacters(what: string, name: string, not: (why: string) => UsageError): void {
  checkText(what, name);
  if (!/^[A-Za-z0-9+_.-]+$/.test(name)) throw not('lvm allows letters, digits and + _ . - only');
  if (name.startsWith('-')) throw not('it begins with a hyphen');
  if (name === '.' || name === '..') throw not('it means a directory');
}
