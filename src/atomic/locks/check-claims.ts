import { checkKeys } from '../../core/checks.ts';
import { UsageError } from '../../core/errors.ts';

const kinds = ['makes', 'changes', 'needs'] as const;

/** Throws UsageError for claims that name no objects: a script without types may pass anything. */
export function checkClaims(what: string, claims: unknown): void {
  checkKeys(what, claims, kinds);
  for (const kind of kinds) {
    const keys = (claims as Readonly<Record<string, unknown>>)[kind];
    if (keys === undefined) continue;
    if (!Array.isArray(keys)) throw new UsageError(`${what}: ${kind}: must be a list of keys`);
    const at = keys.findIndex((key) => typeof key !== 'string' || !/^[a-z][\w-]*:./s.test(key));
    if (at < 0) continue;
    const wrong: unknown = keys[at];
    const shown = typeof wrong === 'string' ? `"${wrong}"` : `a ${typeof wrong}`;
    throw new UsageError(`${what}: ${kind}: ${shown} is not the key of an object`, {
      remedy: "write its kind and its name: 'lv:vg0/web1', 'file:/etc/fstab'",
    });
  }
}
