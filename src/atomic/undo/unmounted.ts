import { type ReadHost, shellWords } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import type { Engine } from '../engine.ts';
import { containerOf, exclusive, type State, type Step } from '../journal/state.ts';
import { objectsOf, ownKey } from '../locks/host-key.ts';
import type { Claims, Look, Mounted, MountsUnder } from '../operation.ts';
import { placeOf } from '../place.ts';
import { mountsOver } from './next.ts';
import { describe } from './report.ts';
import type { Asking } from './witness.ts';

/** Returns the filesystems that the files of a step are in. */
export async function mountsOf(
  engine: Pick<Engine, 'mountsUnder'>,
  host: ReadHost,
  claims: Claims,
): Promise<readonly Mounted[]> {
  return once((await mountsOn(engine, host, claims)).flatMap(({ inside, at }) => [inside, at]));
}

async function mountsOn(
  { mountsUnder }: Pick<Engine, 'mountsUnder'>,
  host: ReadHost,
  claims: Claims,
): Promise<readonly MountsUnder[]> {
  const found: MountsUnder[] = [];
  for (const key of exclusive(claims).map((each) => ownKey(host.name, each)))
    if (mountsUnder !== undefined && key.startsWith('file:'))
      found.push(await mountsUnder(host, key.slice('file:'.length)));
  return found;
}

function once(mounts: readonly (Mounted | undefined)[]): readonly Mounted[] {
  return [...new Map(mounts.flatMap((each) => (each === undefined ? [] : [[each.path, each]]))).values()];
}

/** A filesystem that is not mounted now, or the mount that hides it. */
interface Hidden {
  readonly was: Mounted;
  readonly over?: Mounted;
}

/**
 * Returns a filesystem of the step's files that is not mounted now, or hidden by a mount of others: then the files
 * only seem to be gone. Not one that a step of the sequence mounted, if nothing is mounted there: the undo mounts it
 * again, unless the filesystem is gone. `asMounted`: any filesystem of this type there is enough.
 */
export async function unmounted(
  engine: Engine,
  state: State,
  step: Step,
  asMounted = false,
): Promise<Hidden | undefined> {
  const { host, claims, mounts = [] } = step.intent;
  if (mounts.length === 0) return undefined;
  const on = await mountsOn(engine, placeOf(engine, host).host, claims ?? {});
  const own = mountsOver(state, step).flatMap(({ intent }) => objectsOf(intent));
  for (const over of once(on.map(({ inside }) => inside))) {
    // If the mount was missing when the step was prepared, the undo has mounted it again.
    if (own.includes(`mnt:${over.path}`)) continue;
    const was = mounts.find(({ path }) => isBelow(over.path, path));
    const isKnown = mounts.some(({ path }) => path === over.path);
    if (was !== undefined && !isKnown) return { was, over };
  }
  const now = once(on.flatMap(({ inside, at }) => [inside, at]));
  const was = mounts.find(
    (then) =>
      then.onlyHidden !== true &&
      !now.some((mount) => isSame(mount, then, asMounted)) &&
      (!own.includes(`mnt:${then.path}`) || now.some(({ path }) => path === then.path)),
  );
  return was === undefined ? undefined : { was };
}

function isBelow(path: string, directory: string): boolean {
  return path !== directory && path.startsWith(directory === '/' ? directory : `${directory}/`);
}

function isSame(one: Mounted, other: Mounted, asMounted: boolean): boolean {
  const root = asMounted ? [] : (['inode', 'birth'] as const);
  return (['path', 'type', ...root] as const).every((each) => one[each] === other[each]);
}

/**
 * RefusedError `not-found` for a step that seems to be undone, or that the undo could undo only in part, because
 * others unmounted the filesystem of its files, or mounted another one over them. Not if the administrator gave up
 * the content of its object (`discard`).
 */
export async function refuseUnmounted(
  { engine, journal, discard }: Pick<Asking, 'engine' | 'journal' | 'discard'>,
  step: Step,
  { state }: Look,
): Promise<void> {
  const object = containerOf(step);
  if (discard instanceof Set && discard.has(object)) return;
  const hidden = await unmounted(engine, journal.state, step, state === 'ours');
  if (hidden === undefined) return;
  const { was, over } = hidden;
  const recover = ['bofh', 'recover', journal.id];
  const given = shellWords([...recover, '--discard', object]);
  const remedy =
    over === undefined
      ? `mount it at ${was.path}; then: ${shellWords(recover)}; or, if that filesystem no longer exists: ${given}`
      : `${shellWords(['umount', over.path])}; then: ${shellWords(recover)}; or, to give up what is below that mount: ${given}`;
  const why =
    over === undefined
      ? `the ${was.type} filesystem that was at ${was.path} is not mounted there`
      : `the ${over.type} filesystem at ${over.path} was mounted over it later`;
  throw new RefusedError(`${describe(step)} cannot be checked: ${why}`, { code: 'not-found', remedy });
}
