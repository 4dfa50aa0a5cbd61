import { beforeEach, describe, expect, it } from 'vitest';
import { atomic, type Tx } from '../../../src/api/atomic.ts';
import { recover } from '../../../src/api/recover.ts';
import { undo } from '../../../src/api/undo.ts';
import { closedJournals } from '../../../src/atomic/journal/scan.ts';
import { withBofh } from '../../../src/bofh.ts';
import { fork } from '../../../src/simulator/fork.ts';
import { simulatedBofh, type SimulatedHost } from '../../../src/simulator/index.ts';
import { differences, stateOf } from '../../../src/simulator/matrix/judge.ts';
import { neighbourhood } from '../../support/undo/stage.ts';
import { runVerb } from '../cli/support/run-verb.ts';
import { testRuntime } from '../cli/support/runtime.ts';
import { madeLines, plannedLines } from '../plan/support.ts';

const a = '/etc/xen/a.cfg';
const listed = 'user::rwx,user:8:rwx,group::r-x,mask::rwx,other::---';
let host: SimulatedHost;
let before: string;
beforeEach(() => {
  host = neighbourhood();
  host.admin.writeFile(a, 'one\n', 0o640);
  host.admin.mkdir('/srv/empty');
  host.admin.mkdir('/srv/full/in');
  host.admin.writeFile('/srv/full/in/one', '1');
  host.admin.symlink('/srv/full/l', 'in');
  host.admin.mkdir('/srv/listed/empty');
  for (const name of ['changed', 'old']) host.admin.writeFile(`/srv/listed/${name}`, 'x\n', 0o640);
  host.admin.setAcl('/srv/listed', 'user::rwx,group::r-x,other::r-x', listed);
  before = look();
});

const look = (): string => stateOf(host, new Set());
const run = <T>(body: () => Promise<T>): Promise<T> =>
  withBofh({ ...simulatedBofh({ host }), signals: {} }, body);

async function made(body: (tx: Tx) => Promise<unknown>): Promise<string> {
  const ids = (): readonly string[] => closedJournals(simulatedBofh({ host }).engine).map(({ id }) => id);
  const known = ids();
  await run(() => atomic('files', body));
  return ids().find((id) => !known.includes(id)) ?? 'none';
}

describe('the undo of a committed sequence of files', () => {
  it.each<[what: string, body: (tx: Tx) => Promise<unknown>]>([
    [
      'a file that was changed twice',
      async (tx) => {
        await tx.file.change({ path: a, content: 'two\n' });
        await tx.file.change({ path: a, content: 'three\n', mode: 0o600 });
      },
    ],
    [
      'a file whose mode was changed, and then its content',
      async (tx) => {
        await tx.file.setAttributes({ path: a, mode: 0o644 });
        await tx.file.change({ path: a, content: 'two\n' });
      },
    ],
    [
      'a file whose content was changed, and then its mode',
      async (tx) => {
        await tx.file.change({ path: a, content: 'two\n' });
        await tx.file.setAttributes({ path: a, mode: 0o644 });
      },
    ],
    [
      'files and a directory without an ACL, where others inherit one',
      async (tx) => {
        await tx.file.change({ path: '/srv/listed/changed', content: 'two\n' });
        expect(look()).toMatch(/\/srv\/listed\/changed\S* file 0640 links=/);
        await tx.file.remove({ path: '/srv/listed/old' });
        await tx.file.removeDirectory({ path: '/srv/listed/empty' });
      },
    ],
    [
      'a file whose ACL was changed before and after its content, and then removed',
      async (tx) => {
        await tx.file.setAttributes({ path: a, acl: ['user:7:rwx'] });
        await tx.file.change({ path: a, content: 'two\n', acl: ['user:8:r--'] });
        await tx.file.setAttributes({ path: a, mode: 0o2600, acl: ['user:9:r--'] });
        await tx.file.remove({ path: a });
      },
    ],
    [
      'a new file that was changed and removed',
      async (tx) => {
        await tx.file.create({ path: '/etc/xen/b.cfg', content: 'b\n' });
        await tx.file.change({ path: '/etc/xen/b.cfg', content: 'bb\n' });
        await tx.file.remove({ path: '/etc/xen/b.cfg' });
      },
    ],
    [
      'a file that was changed, removed and created',
      async (tx) => {
        await tx.file.change({ path: a, content: 'two\n' });
        await tx.file.remove({ path: a });
        await tx.file.create({ path: a, content: 'new\n' });
      },
    ],
    [
      'a new directory with a file and a link',
      async (tx) => {
        await tx.file.createDirectory({ path: '/srv/new' });
        await tx.file.create({ path: '/srv/new/b', content: 'b\n' });
        await tx.file.link({ path: '/srv/new/c', to: 'b' });
      },
    ],
    [
      'a directory whose mode was changed, and that was removed',
      async (tx) => {
        await tx.file.setAttributes({ path: '/srv/empty', mode: 0o700, uid: 7 });
        await tx.file.removeDirectory({ path: '/srv/empty' });
      },
    ],
    [
      'directories that were removed with what was in them',
      async (tx) => {
        await tx.file.remove({ path: '/srv/full/in/one' });
        await tx.file.removeDirectory({ path: '/srv/full/in', emptied: ['/srv/full/in/one'] });
        await tx.file.link({ path: '/srv/full/l', to: null });
        await tx.file.removeDirectory({
          path: '/srv/full',
          emptied: ['/srv/full/in', '/srv/full/in/one', '/srv/full/l'],
        });
      },
    ],
    [
      'a link that was created, changed and removed',
      async (tx) => {
        await tx.file.link({ path: '/srv/l', to: 'x' });
        await tx.file.link({ path: '/srv/l', from: 'x', to: 'y' });
        await tx.file.link({ path: '/srv/l', to: null });
      },
    ],
  ])('brings back %s', async (_, body) => {
    const id = await made(body);
    expect(await run(() => undo(id))).toMatchObject({ end: 'rolled-back', leftUntouched: [] });
    expect(differences(before, look())).toEqual([]);
    const { store } = simulatedBofh({ host }).engine;
    expect(store.names('history').filter((name) => name.endsWith('.kept'))).toEqual([]);
  });

  it('comes after that of a newer sequence', async () => {
    const first = await made((tx) => tx.file.change({ path: a, content: 'two\n' }));
    const second = await made((tx) => tx.file.change({ path: a, content: 'three\n' }));
    await expect(run(() => undo(first))).rejects.toThrow(`worked on ${a} later`);
    await run(() => undo(second));
    await run(() => undo(first));
    expect(differences(before, look())).toEqual([]);
  });

  it.each<[what: string, body: (tx: Tx) => Promise<unknown>, others: () => unknown, says: string]>([
    [
      'edited',
      (tx) => tx.file.change({ path: a, content: 'two\n' }),
      () => host.admin.writeFile(a, 'theirs\n'),
      `${a} was edited since`,
    ],
    [
      'removed',
      (tx) => tx.file.change({ path: a, content: 'two\n' }),
      () => host.admin.removeFile(a),
      `there is no file ${a}`,
    ],
    [
      'edited that was new',
      (tx) => tx.file.create({ path: '/srv/b', content: 'b\n' }),
      () => host.admin.writeFile('/srv/b', 'theirs\n'),
      '/srv/b was edited since',
    ],
    [
      'created again',
      (tx) => tx.file.remove({ path: a }),
      () => host.admin.writeFile(a, 'theirs\n'),
      `there is a file at ${a} again`,
    ],
    [
      'put into a directory',
      (tx) => tx.file.createDirectory({ path: '/srv/new' }),
      () => host.admin.writeFile('/srv/new/theirs', ''),
      '/srv/new is not empty (theirs)',
    ],
    [
      'created in the place of a directory',
      (tx) => tx.file.removeDirectory({ path: '/srv/empty' }),
      () => host.admin.mkdir('/srv/empty'),
      'there is a directory at /srv/empty again',
    ],
    [
      'changed in a link',
      (tx) => tx.file.link({ path: '/srv/l', to: 'x' }),
      () => {
        host.admin.removeFile('/srv/l');
        host.admin.symlink('/srv/l', 'theirs');
      },
      '/srv/l was edited since',
    ],
    [
      'given another mode',
      (tx) => tx.file.setAttributes({ path: a, mode: 0o644 }),
      () => host.admin.writeFile(a, 'one\n', 0o600),
      `${a} has owner 0:0 and mode 0600 now`,
    ],
  ])('is refused if others have %s, and nothing changes', async (_, body, others, says) => {
    const id = await made(async (tx) => {
      await body(tx);
      await tx.file.create({ path: '/srv/last', content: 'last\n' });
    });
    others();
    const then = look();
    const refused = run(() => undo(id));
    await expect(refused).rejects.toThrow(`sequence ${id} "files" is not undone: `);
    await expect(refused).rejects.toThrow(says);
    expect(look()).toBe(then);
  });

  it.each<[what: string, path: string, content: string, mode: number, says: string]>([
    ['a file that only its owner may read', '/etc/key', 'x', 0o400, 'only its owner may read it'],
    ['a private key', '/etc/key', '-----BEGIN EC PRIVATE KEY-----\n', 0o644, 'it has a private key'],
    ['keys that may be revoked', '/root/.ssh/authorized_keys', 'ssh-ed25519 x\n', 0o644, 'revoked'],
    ['passwords', '/etc/gshadow', 'root:*::\n', 0o640, 'it has passwords'],
    ['a large file', '/srv/large', 'x'.repeat(16 * 1024 ** 2 + 1), 0o644, 'it is larger than 16 MiB'],
  ])('is refused if it removed %s', async (_, path, content, mode, says) => {
    host.admin.mkdir('/root/.ssh');
    host.admin.writeFile(path, content, mode);
    const id = await made(async (tx) => {
      await tx.file.change({ path: a, content: 'two\n' });
      await tx.file.remove({ path });
    });
    const then = look();
    const refused = run(() => undo(id));
    await expect(refused).rejects.toThrow(`needs: ${path} is not kept: `);
    await expect(refused).rejects.toThrow(says);
    expect(look()).toBe(then);
  });

  // Its mode says nothing here: others may read the file.
  it.each<[what: string, body: (tx: Tx) => Promise<unknown>]>([
    ['changed', (tx) => tx.file.change({ path: a, content: 'two\n', secret: true })],
    ['removed', (tx) => tx.file.remove({ path: a, secret: true })],
  ])('keeps no secret content: %s', async (_, body) => {
    const id = await made(body);

    await expect(run(() => undo(id))).rejects.toThrow('its content is secret');
    expect(
      simulatedBofh({ host })
        .engine.store.names('history')
        .filter((name) => /kept/.test(name)),
    ).toEqual([]);
  });

  it('is refused if it removed files to free space', async () => {
    const id = await made((tx) => tx.file.remove({ path: a }));
    simulatedBofh({ host }).engine.store.remove(`history/${id}.kept`);
    await expect(run(() => undo(id))).rejects.toThrow('the kept copy was removed to free space');
  });

  it('is refused if a kept copy has changed, which is named, and the journal stays', async () => {
    const id = await made((tx) => tx.file.remove({ path: a }));
    host.admin.writeFile(`/var/lib/bofh/journal/history/${id}.kept/1`, 'damaged\n');
    await expect(run(() => undo(id))).rejects.toThrow(`the kept copy of ${a} has changed`);
  });

  it.each(['file', 'store'] as const)(
    'works after a power cut in the commit, at each access to a %s, and a recovery',
    async (what) => {
      const change = async (tx: Tx): Promise<void> => {
        await tx.file.change({ path: a, content: 'two\n' });
        await tx.file.removeDirectory({ path: '/srv/empty' });
      };
      const start = host.reboot();
      host = fork(start).powerCut({ keep: 'none' });
      before = look();
      host = fork(start);
      const from = host.points.length;
      await made(change);
      const points = host.points.slice(from).filter(({ tool }) => (tool === 'store') === (what === 'store'));
      let undone = 0;
      for (const [nth] of points.entries()) {
        host = fork(start);
        host.fault({ ...(what === 'store' ? { tool: what } : {}), nth: nth + 1, mode: 'acts then crash' });
        await made(change).catch(() => undefined);
        host = host.powerCut({ keep: 'none' });
        await run(() => recover());
        const id = closedJournals(simulatedBofh({ host }).engine).find(
          ({ state }) => state.closed === 'committed',
        )?.id;
        if (id !== undefined) {
          await run(() => undo(id));
          undone += 1;
        }
        expect([nth, differences(before, look())]).toEqual([nth, []]);
      }
      expect(undone).toBeGreaterThan(3);
    },
    60_000,
  );

  it('is possible or not, as bofh journal show and bofh doctor say', async () => {
    const id = await made((tx) => tx.file.change({ path: a, content: 'two\n' }));
    const show = async (): Promise<string> => {
      const { runtime, stdout } = testRuntime(simulatedBofh({ host }));
      await runVerb(runtime, `journal show ${id}`);
      return stdout();
    };
    expect(await show()).toContain(`undo:     bofh undo ${id}\n`);
    const doctor = testRuntime(simulatedBofh({ host }));
    await runVerb(doctor.runtime, 'doctor');
    expect(doctor.stdout()).toContain('old files of 1 are kept for bofh undo (4 B)');
    await run(() => undo(id));
    expect(await show()).toMatch(/undo: {5}sequence .* cannot be undone: [0-9a-f]{12} has undone it already/);
  });

  it('is the same in a dry run', async () => {
    const id = await made(async (tx) => {
      await tx.file.change({ path: a, content: 'two\n' });
      await tx.file.removeDirectory({ path: '/srv/empty' });
    });
    const then = look();
    const planned = await plannedLines(host, ['undo', id]);
    expect(look()).toBe(then);
    expect(planned).toEqual(await madeLines(host, ['undo', id]));
    expect(planned.join('\n')).toContain('cp --recursive');
  });
});
