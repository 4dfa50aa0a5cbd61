import type { Claims, Key } from '../operation.ts';
import type { Place } from '../place.ts';
import { exclusive } from '../journal/state.ts';

const common = 'hosts:';

/**
 * The key of an object that is the same on several hosts: all of them use this name, and a step on
 * one conflicts with a step on another.
 */
export function commonKey(of: string): Key {
  return `${common}${of}`;
}

/**
 * The key of a host's object in journals and locks: that of another host contains the host's name.
 */
export function hostKey({ host }: Pick<Place, 'host'>, key: Key): Key {
  return key.startsWith(common) ? key : `${prefixOf(host.name)}${key}`;
}

/** A key of a journal as its own host has it. */
export function ownKey(host: string, key: Key): Key {
  const prefix = prefixOf(host);
  return key.startsWith(prefix) ? key.slice(prefix.length) : key;
}

/** A key of a journal as people read it: `lv:vg0/x`, and `lv:vg0/x on web2`. */
export function keyInWords(host: string, key: Key): string {
  return host === '' || key.startsWith(common) ? key : `${ownKey(host, key)} on ${host}`;
}

/** What a step makes or changes, each as its own host has it. */
export function objectsOf(intent: { readonly host: string; readonly claims: Claims | null }): readonly Key[] {
  const own = exclusive(intent.claims ?? {}).filter((key) => !key.startsWith(common));
  return own.map((key) => ownKey(intent.host, key));
}

function prefixOf(host: string): string {
  return host === '' ? '' : `${host}!`;
}
