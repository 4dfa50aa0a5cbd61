import { describe, expect, it } from 'vitest';
import { withoutWaiting } from '../../../src/simulator/matrix/clock.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import type { Tx } from '../../../src/operations.ts';
import { bofhOn } from '../simulator/support.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { type Specimen, specimens } from '../../support/undo/specimens.ts';
import { neighbourhood } from '../../support/undo/stage.ts';

/** Directories that belong to another user here: every specimen that is about files has them in one of these. */
const foreign = ['/srv', '/mnt', '/etc'];

const byUuid = 'the filesystem is found by its UUID, and reached through the mount that the kernel names';

/**
 * Kinds, or specimens of one, that work although one of their paths is in such a directory, and why other
 * users cannot redirect them.
 */
const safe: Readonly<Record<string, string>> = {
  'mount.unmount': 'it takes the path from the table of the kernel',
  'xen.shutdown': 'it ends the guest by its number; only the undo reads the file',
  'crypt.open one that is open already': 'it reads no key',
  'shell.run':
    'the paths in its texts only the script knows; a program of its own is checked in test/unit/shell/run.test.ts',
  'service.beforeChange': 'it neither reads nor changes the files',
  ...Object.fromEntries(
    [
      ...['addDevice', 'replaceDevice', 'removeDevice', 'sendToDevice', 'removeSubvolume', 'scrub'],
      ...['balance', 'setQuota', 'limitSubvolume', 'setDefaultSubvolume', 'setProperty'],
    ].map((kind) => [`btrfs.${kind}`, byUuid]),
  ),
};

/** The same call on everything, and what it was given. */
function recording(into: unknown[]): Tx {
  const anything: unknown = new Proxy(() => undefined, {
    get: () => anything,
    apply: (_target, _self, args: unknown[]) => {
      into.push(args);
      return Promise.resolve({});
    },
  });
  return anything as Tx;
}

function pathsIn(value: unknown): readonly string[] {
  if (typeof value === 'string') return foreign.some((each) => value.startsWith(`${each}/`)) ? [value] : [];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([, inner]) => pathsIn(inner));
}

const all = Object.entries(specimens).flatMap(([driver, kinds]) =>
  Object.entries(kinds as Readonly<Record<string, readonly Specimen[]>>).flatMap(([kind, each]) =>
    each.map((specimen) => ({
      kind: `${driver}.${kind}`,
      title: specimen.title ?? '',
      specimen,
    })),
  ),
);

async function stageOf({ stage }: Specimen) {
  const host = neighbourhood();
  const act = stage(host);
  const args: unknown[] = [];
  await act(recording(args));
  for (const directory of foreign) host.admin.chown(directory, 33);
  return { host, act, paths: pathsIn(args) };
}

describe('a path in a directory of another user is refused, and nothing changes', () => {
  it.each(all)('$kind $title', async ({ kind, title, specimen }) => {
    const { host, act, paths } = await stageOf(specimen);
    const before = host.snapshot();
    const run = withoutWaiting(() => withBofh({ ...bofhOn(host), signals: {} }, () => atomic('test', act)));

    if (paths.length === 0 || kind in safe || `${kind} ${title}` in safe) {
      await run.catch(() => undefined);
      return;
    }
    expect(String(await rejectionOf(run))).toMatch(/another user could/);
    expect(host.snapshot()).toBe(before);
  });
});
