import { beforeAll, describe, expect, it } from 'vitest';
import { decode, type IntentLine, type Line } from '../../../src/atomic/journal/lines.ts';
import type { Way } from '../../../src/atomic/operation.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import type { ManualRecovery } from '../../../src/core/errors.ts';
import { allOperations, findOperation } from '../../../src/operations.ts';
import { simulatedBofh, simulatedHost } from '../../../src/simulator/index.ts';

/** Every step of a guest's life, as it is journalled: made, started, shut down, removed. */
let steps: readonly { readonly intent: IntentLine; readonly result: unknown }[] = [];
beforeAll(async () => {
  const host = simulatedHost();
  const bofh = simulatedBofh({ host });
  host.addTar('/srv/root.tar', [{ path: 'etc', type: 'directory' }]);
  host.admin.writeFile('/boot/vmlinuz', 'x');
  const path = '/etc/xen/web1.cfg';
  const content =
    "name = 'web1'\nmemory = 128\nkernel = '/boot/vmlinuz'\ndisk = ['phy:/dev/vg0/web1,xvda,w']\n";
  await withBofh(bofh, async () => {
    await atomic('make', async (tx) => {
      const lv = await tx.lvm.createLv({ vg: 'vg0', name: 'web1', size: '64m' });
      const { uuid } = await tx.filesystem.create({ device: lv.path, type: 'ext4' });
      const own = await tx.temporary.mount.mount({ device: lv.path, mode: 'rw' });
      const source = { source: '/srv/root.tar', root: own.path, device: lv.path, filesystem: uuid };
      await tx.copy.unpack({ ...source, files: [] });
      await own.release();
      await tx.file.create({ path, content, mode: 0o644 });
      await tx.xen.create({ config: path, name: 'web1' });
    });
    const guest = host.world.domains.find(({ name }) => name === 'web1');
    await atomic('remove', async (tx) => {
      await tx.xen.shutdown({ name: 'web1', uuid: guest?.uuid ?? '', config: path, how: 'destroy' });
      await tx.file.remove({ path });
      await tx.lvm.removeLv({ vg: 'vg0', name: 'web1' });
    });
  });
  const { store } = bofh.engine;
  const journals = store.names('history').filter((name) => name.endsWith('.journal'));
  const lines = journals.map((name): readonly Line[] => {
    const file = store.open(`history/${name}`);
    return file === undefined ? [] : decode(file.read(), name).lines;
  });
  steps = lines.flatMap((all) =>
    all
      .filter((line): line is IntentLine => line.t === 'intent')
      .map((intent) => ({
        intent,
        result: all.flatMap((line) => (line.t === 'done' && line.n === intent.n ? [line.result] : []))[0],
      })),
  );
});

async function tell(
  kind: string,
  way: Way,
  known: 'result' | 'no result' = 'result',
): Promise<ManualRecovery> {
  const step = steps.find(({ intent }) => intent.kind === kind);
  const code = await findOperation(kind, step?.intent.version ?? 0);
  const result = known === 'result' ? { result: step?.result } : {};
  const told = code?.describe?.({ undo: step?.intent.undo, ...result, way });
  if (told === undefined) throw new Error(`${kind} tells nothing`);
  return told;
}

function undoOf(kind: string): Readonly<Record<string, unknown>> {
  const undo = steps.find(({ intent }) => intent.kind === kind)?.intent.undo;
  return Object.fromEntries(Object.entries(undo ?? {}));
}

describe('the commands for manual recovery', () => {
  /** What in the undo data of a kind is its identity, which no other thing has. */
  const identities: Readonly<Record<string, string>> = {
    'lvm.lv.create': 'tag',
    'lvm.lv.remove': 'lvUuid',
    'filesystem.create': 'uuid',
    'copy.unpack': 'filesystem',
    'file.create': 'private',
    'file.remove': 'tombstone',
    'mount.mount': 'path',
    'xen.domain.create': 'uuid',
    'xen.domain.shutdown': 'uuid',
  };

  it.each(Object.entries(identities))(
    'of %s name its identity %s, with and without a result',
    async (kind, key) => {
      const identity = String(undoOf(kind)[key]);

      expect(identity.length).toBeGreaterThan(8);
      for (const known of ['result', 'no result'] as const) {
        const { what, look, clear } = await tell(kind, 'back', known);
        expect(what).toContain(identity);
        expect(look.length).toBeGreaterThan(0);
        expect(clear.length).toBeGreaterThan(0);
      }
    },
  );

  it('are tested here for every kind of a guest', async () => {
    const drivers = new Set(['lvm', 'filesystem', 'copy', 'file', 'mount', 'xen']);
    const kinds = (await allOperations())
      .map(({ kind }) => kind)
      .filter((kind) => drivers.has(kind.split('.')[0] ?? ''));
    for (const kind of Object.keys(identities)) expect(kinds).toContain(kind);
  });

  it('look only with programs that change nothing', async () => {
    const readers = ['blkid', 'findmnt', 'fuser', 'ls', 'lvs', 'sha256sum'];
    for (const kind of Object.keys(identities))
      for (const [tool = '', ...argv] of (await tell(kind, 'back')).look) {
        expect(tool === 'xl' ? argv[0] : tool).toBeOneOf([...readers, 'list']);
        expect(argv).not.toContain('--kill');
      }
  });

  it('rename a removed volume back before the commit, and remove it after', async () => {
    const { lvUuid, gone } = undoOf('lvm.lv.remove');

    const back = await tell('lvm.lv.remove', 'back');
    const forward = await tell('lvm.lv.remove', 'forward');

    expect(back.clear[0]).toEqual(['lvrename', 'vg0', gone, 'web1']);
    expect(back.clear.flat()).not.toContain('lvremove');
    expect(forward.clear.at(-1)).toEqual([
      'lvremove',
      '--select',
      `lv_uuid=${String(lvUuid)} && !(lv_role={thickorigin} || lv_role={extorigin})`,
      'vg0',
    ]);
  });

  it('rename a removed file back before the commit, never over another one, and remove it after', async () => {
    const { path, tombstone } = undoOf('file.remove');

    expect((await tell('file.remove', 'back')).clear).toEqual([['mv', '--no-clobber', tombstone, path]]);
    expect((await tell('file.remove', 'forward')).clear).toEqual([['rm', tombstone]]);
  });

  it('remove only the private name of a new file after the commit', async () => {
    expect((await tell('file.create', 'forward')).clear).toEqual([['rm', undoOf('file.create')['private']]]);
  });
});
