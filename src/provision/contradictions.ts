import { isDeepStrictEqual } from 'node:util';
import { UsageError } from '../core/errors.ts';
import { areRivals } from './edit/edit.ts';
import type { LinesRequest } from './lines.ts';
import { namesIn, type Resource } from './resource.ts';

/**
 * Whether two resources are about the same object. Several resources may set lines, or values, of
 * one file.
 */
export function isRival(one: Resource, other: Resource): boolean {
  // For example a file and a sysctl. But a directory may be the mount point of an `ensure`.
  const isEnsure = one.kind === 'ensure' || other.kind === 'ensure';
  if (one.path !== undefined && one.path === other.path && one.kind !== other.kind && !isEnsure) return true;
  if (one.identity !== other.identity) return false;
  if (one.kind === 'edit' && other.kind === 'edit' && one.wanted.syntax === other.wanted.syntax)
    return one.wanted.edits.some((each) => other.wanted.edits.some((its) => areRivals(each, its)));
  if (one.kind !== 'lines' || other.kind !== 'lines') return true;
  return isSame(one, other) || linesDiffer(one.wanted, other.wanted);
}

/** Whether the two requests contradict each other. */
function linesDiffer(one: LinesRequest, other: LinesRequest): boolean {
  const both = (a: readonly string[] = [], b: readonly string[] = []): boolean =>
    a.some((each) => b.includes(each));
  const made = (of: LinesRequest): readonly string[] => [
    ...(of.present ?? []),
    ...Object.values(of.replace ?? {}),
  ];
  if (both(made(one), other.absent) || both(made(other), one.absent)) return true;
  return Object.entries(one.replace ?? {}).some(([prefix, text]) =>
    Object.entries(other.replace ?? {}).some(
      ([rival, its]) => (prefix.startsWith(rival) || rival.startsWith(prefix)) && its !== text,
    ),
  );
}

export function isSame(one: Resource, other: Resource): boolean {
  const what = (each: Resource): object => ({ ...each, at: undefined, done: undefined, value: undefined });
  return isDeepStrictEqual(what(one), what(other));
}

/** Throws UsageError for an object that needs a user or group which is described as absent. */
export function refuseAbsentOwners(all: readonly Resource[]): void {
  for (const gone of all) {
    if ((gone.kind !== 'user' && gone.kind !== 'group') || gone.wanted.absent !== true) continue;
    const by = all.find((one) => namesIn(one, gone.kind).includes(gone.name));
    if (by === undefined) continue;
    throw new UsageError(
      `the description contradicts itself: ${inWords(by)} at ${by.at} needs the ${gone.kind} ${gone.name}, which is absent at ${gone.at}`,
      { remedy: `name another ${gone.kind} there, or keep this one` },
    );
  }
}

function inWords(one: Resource): string {
  return one.kind === 'ensure' || !('path' in one) ? one.identity : `${one.kind} ${one.path}`;
}

export function conflict(one: Resource, other: Resource): UsageError {
  return new UsageError(
    `the description contradicts itself: ${inWords(other)} at ${other.at}, and ${inWords(one)} at ${one.at}`,
    { remedy: 'describe it once, or twice in the same way' },
  );
}
