import { atomic } from '../../../../src/bofh.ts';
import { InterruptedError, UsageError } from '../../../../src/core/errors.ts';
import { ProcessKilled } from '../../../../src/simulator/index.ts';
import { statPath } from '../../../../src/simulator/world/files.ts';
import type { Taken } from '../../crash/program.ts';
import { record, records } from '../record.ts';
import type { LibraryLeaf } from './library-program.ts';
import { type At, volumes, workOf } from './steps.ts';

/** One script at work. */
export interface LibraryAt extends Omit<At, 'taken'> {
  readonly taken: Taken<LibraryLeaf>[];
  /** What effects change: it outlives the process. Name → script. */
  readonly registry: Map<string, object>;
  readonly script: object;
  /** Whether each `ensure` created its object. */
  readonly changed: Map<LibraryLeaf, boolean>;
  /** What a leaf itself sees to be wrong. */
  readonly found: string[];
}

/** Undefined where the host does not allow it now. */
export function libraryWorkOf(at: LibraryAt, leaf: LibraryLeaf): (() => Promise<unknown>) | undefined {
  const { tx, host, foreign } = at;
  const { a, b } = leaf;
  const name = volumes[a] ?? volumes[0];
  const lv = host.world.lvm[0]?.lvs.find((each) => each.name === name);
  const file = `/srv/${a % 2 === 0 ? 'a' : 'b'}.img`;
  const isThere = (path: string): boolean => statPath(host.world, path) !== undefined;
  const ensured = (work: () => Promise<{ readonly changed: boolean }>) => async () => {
    const { changed } = await work();
    at.changed.set(leaf, changed);
  };
  switch (leaf.do) {
    case 'image':
      return isThere(file) ? undefined : () => tx.block.createImage({ file, size: '8m' });
    case 'loop':
      return isThere(file) && ![...host.world.loops.values()].some(({ path }) => path === file)
        ? () => tx.block.attachLoop({ file })
        : undefined;
    case 'ensure lv':
      return lv !== undefined && foreign.has(lv.uuid)
        ? undefined
        : ensured(() => tx.ensure.lvm.createLv({ vg: 'vg0', name, size: b === 3 ? '64m' : '32m' }));
    case 'ensure image':
      return ensured(() => tx.ensure.block.createImage({ file, size: b === 3 ? '16m' : '8m' }));
    case 'ensure format':
      return lv === undefined || foreign.has(lv.uuid)
        ? undefined
        : ensured(() => tx.ensure.filesystem.create({ device: `/dev/vg0/${name}`, type: 'ext4' }));
    case 'effect':
      return at.registry.has(`demo:${a}`) ? undefined : () => register(at, `demo:${a}`);
    case 'own step':
      return isThere(`${records}/${a}`) ? undefined : () => tx.step(record, { name: String(a) });
    case 'reserve':
      return () => tx.reserve({ changes: [`demo:${a}`] });
    case 'atomic inside':
      return () => nested(at);
    case 'sleep':
      return async () => {
        for (let turn = 0; turn < b * 12 && !tx.signal.aborted; turn += 1)
          await new Promise((resolve) => setImmediate(resolve));
      };
    default:
      return workOf({ ...at, taken: [] }, { ...leaf, do: leaf.do });
  }
}

function register({ tx, host, registry, script }: LibraryAt, name: string): Promise<unknown> {
  const alive = (): void => {
    if (!host.process.alive) throw new ProcessKilled();
  };
  return tx.effect(
    `register ${name}`,
    () => {
      alive();
      if (registry.has(name)) throw new Error(`${name} is registered`);
      registry.set(name, script);
    },
    () => {
      alive();
      if (registry.get(name) === script) registry.delete(name);
    },
    { claims: { makes: [name] } },
  );
}

/** It is refused, and the sequence around it goes on. */
async function nested({ tx, found }: LibraryAt): Promise<void> {
  try {
    await atomic('inside', () => undefined);
    found.push('atomic() inside a sequence was not refused');
  } catch (error) {
    const isStopped = tx.signal.aborted && error instanceof InterruptedError;
    if (!isStopped && !(error instanceof UsageError))
      found.push(`atomic() inside a sequence threw ${String(error)}`);
  }
}
