import { posix } from 'node:path';
import { UsageError } from '../core/errors.ts';
import type { Site } from '../site.ts';
import { checkText } from '../core/checks.ts';

/**
 * Throws UsageError for a name that cannot be the name of a domain, a file, a part of a logical volume name,
 * and a hostname. hostname(7): letters, digits, hyphens and dots, no label over 63 characters.
 */
export function checkGuestName(name: string): void {
  checkText('the name of the guest', name);
  if (name.length > 63)
    throw new UsageError(`the guest's name is ${name.length} characters long, but at most 63 are allowed`);
  const label = '[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?';
  if (new RegExp(`^${label}(?:\\.${label})*$`).test(name)) return;
  throw new UsageError(
    `${JSON.stringify(name)} cannot be a guest's name: letters, digits, hyphens and dots, beginning and ending with a letter or digit`,
  );
}

/** The logical volumes of a guest. */
export function diskNames(site: Site, name: string): { readonly root: string; readonly swap: string } {
  return {
    root: site.diskNaming.root.replace('{name}', name),
    swap: site.diskNaming.swap.replace('{name}', name),
  };
}

/** The path of a new guest's configuration. */
export function configPath(site: Site, name: string): string {
  return posix.join(site.guestConfigDirs[0] ?? '/etc/xen', `${name}.cfg`);
}

/** Whether a key is that of this guest, or of one of its objects with the usual name. */
export function isOfGuest(site: Site, name: string, key: string): boolean {
  const { root, swap } = diskNames(site, name);
  if (key === `dom:${name}`) return true;
  if (site.guestConfigDirs.some((directory) => key === `file:${posix.join(directory, `${name}.cfg`)}`))
    return true;
  return key.startsWith('lv:') && [root, swap].some((volume) => key.endsWith(`/${volume}`));
}
