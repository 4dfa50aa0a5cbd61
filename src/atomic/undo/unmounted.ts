import { type ReadHost, shellWords } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import type { Engine } from '../engine.ts';
import { containerOf, exclusive, type State, type Step } from '../journal/state.ts';
import { objectsOf, ownKey } from '../locks/host-key.ts';
import type { Claims, Look, Mounted } from '../operation.ts';
import { placeOf } from '../place.ts';
import { mountsOver } from './next.ts';
import { describe } from './report.ts';
import type { Asking } from './witness.ts';

/** Returns the filesystems that the files of a step are in, except that of `/`. */
export async function mountsOf(
  { mountUnder }: Pick<Engine, 'mountUnder'>,
  host: ReadHost,
  claims: Claims,
): Promise<readonly Mounted[]> {
  const found = new Map<string, Mounted>();
  for (const key of exclusive(claims).map((each) => ownKey(host.name, each))) {
    if (!key.startsWith('file:')) continue;
    const mount = await mountUnder?.(host, key.slice('file:'.length));
    if (mount !== undefined) found.set(mount.path, mount);
  }
  return [...found.values()];
}

/**
 * Returns a filesystem of the step's files that is not mounted now: then the files only seem to be gone. Not one
 * that a step of the sequence mounted, if nothing is mounted there: the undo mounts it again, unless the
 * filesystem is gone. `asMounted`: any filesystem of this type there is enough.
 */
export async function unmounted(
  engine: Engine,
  state: State,
  step: Step,
  asMounted = false,
): Promise<Mounted | undefined> {
  const { host, claims, mounts = [] } = step.intent;
  if (mounts.length === 0) return undefined;
  const now = await mountsOf(engine, placeOf(engine, host).host, claims ?? {});
  const own = mountsOver(state, step).flatMap(({ intent }) => objectsOf(intent));
  return mounts.find(
    (then) =>
      !now.some((mount) => isSame(mount, then, asMounted)) &&
      (!own.includes(`mnt:${then.path}`) || now.some(({ path }) => path === then.path)),
  );
}

function isSame(one: Mounted, other: Mounted, asMounted: boolean): boolean {
  const root = asMounted ? [] : (['inode', 'birth'] as const);
  return (['path', 'type', ...root] as const).every((each) => one[each] === other[each]);
}

/**
 * RefusedError `not-found` for a step that seems to be undone, or that the undo could undo only in part, because
 * others unmounted the filesystem of its files. Not if the administrator gave up the content of its object
 * (`discard`).
 */
export async function refuseUnmounted(
  { engine, journal, discard }: Pick<Asking, 'engine' | 'journal' | 'discard'>,
  step: Step,
  { state }: Look,
): Promise<void> {
  const object = containerOf(step);
  if (discard instanceof Set && discard.has(object)) return;
  const away = await unmounted(engine, journal.state, step, state === 'ours');
  if (away === undefined) return;
  const recover = ['bofh', 'recover', journal.id];
  const remedy = [
    `mount it at ${away.path}; then: ${shellWords(recover)}`,
    `or, if that filesystem no longer exists: ${shellWords([...recover, '--discard', object])}`,
  ];
  throw new RefusedError(
    `${describe(step)} cannot be checked: the ${away.type} filesystem that was at ${away.path} is not mounted there`,
    { code: 'not-found', remedy: remedy.join('; ') },
  );
}
