import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { explain as onConsole } from '../../src/cli/errors/explain.ts';
import { CommandError } from '../../src/core/errors.ts';
import { atConsole } from '../../src/core/option.ts';
import * as bofh from '../../src/index.ts';
import {
  atomic,
  block,
  crypt,
  errorCodes,
  explain,
  filesystem,
  lvm,
  withBofh,
  xen,
} from '../../src/index.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../src/simulator/index.ts';
import { rejectionOf } from '../support/rejection.ts';

type Act = (host: SimulatedHost) => Promise<unknown>;

const volume = { vg: 'vg0', name: 'a', size: '8m' };
const root = '/dev/vg0/a';

/** A host with the volume vg0/a, an ext4 in it, and that mounted. */
async function start() {
  const host = simulatedHost();
  host.admin.mkdir('/mnt/a');
  host.admin.mkdir('/srv');
  const simulated = simulatedBofh({ host });
  const on = <T>(body: () => Promise<T>): Promise<T> => withBofh(simulated, body);
  await on(async () => {
    await lvm.createLv(volume);
    await filesystem.create({ device: root, type: 'ext4' });
    await block.createImage({ file: '/srv/x.img', size: '8m' });
    await lvm.createLv({ ...volume, name: 'data' });
    await filesystem.create({ device: '/dev/vg0/data', type: 'ext4' });
    await atomic('mount', (tx) => tx.mount.mount({ device: root, mode: 'rw', path: '/mnt/a' }));
  });
  return { host, on, simulated };
}

describe('the code of the usual refusals', () => {
  it.each<readonly [string, string, Act]>([
    ['a volume that exists', 'exists', () => lvm.createLv(volume)],
    ['an image that exists', 'exists', () => block.createImage({ file: '/srv/x.img', size: '8m' })],
    ['no such volume', 'not-found', () => lvm.removeLv({ vg: 'vg0', name: 'none' })],
    ['no such volume group', 'not-found', () => lvm.createLv({ ...volume, vg: 'none' })],
    ['no such device', 'not-found', () => filesystem.create({ device: '/dev/none', type: 'ext4' })],
    ['no such image', 'not-found', () => block.attachLoop({ file: '/srv/none.img' })],
    ['a volume in use', 'in-use', () => lvm.removeLv({ vg: 'vg0', name: 'a' })],
    ['a device in use', 'in-use', () => filesystem.create({ device: root, type: 'ext4' })],
    ['a device with data', 'has-data', () => filesystem.create({ device: '/dev/vg0/data', type: 'ext4' })],
    ['a full group', 'no-space', () => lvm.createLv({ ...volume, name: 'b', size: '1t' })],
    ['a name that cannot be', 'invalid', () => lvm.createLv({ ...volume, name: 'a/b' })],
    [
      'a device below the smallest size of a filesystem',
      'invalid',
      async () => {
        await lvm.createLv({ ...volume, name: 'b' });
        await filesystem.create({ device: '/dev/vg0/b', type: 'xfs' });
      },
    ],
    [
      'an image below it',
      'invalid',
      () => filesystem.createImage({ file: '/srv/y.img', size: '1m', type: 'ext4' }),
    ],
    [
      'a device below the smallest size of LUKS',
      'invalid',
      async (host) => {
        host.admin.writeFile('/root/key', 'secret', 0o600);
        await lvm.createLv({ ...volume, name: 'b' });
        await crypt.format({ device: '/dev/vg0/b', key: { from: 'file', path: '/root/key' } });
      },
    ],
    [
      'a filesystem larger than its device',
      'no-space',
      () => filesystem.resize({ device: root, size: '1g' }),
    ],
    ['no such guest', 'not-found', () => xen.start('none')],
  ])('%s: %s', async (_what, code, act) => {
    const { host, on } = await start();

    const error = await rejectionOf(on(() => act(host)));

    expect(error).toBeInstanceOf(bofh.BofhError);
    expect([(error as bofh.BofhError).code, (error as Error).message]).toEqual([code, expect.anything()]);
  });

  it('a held lock: busy', async () => {
    const { on } = await start();
    let over = (): void => undefined;
    const held = new Promise<void>((resolve) => (over = resolve));
    let begin = (): void => undefined;
    const begun = new Promise<void>((resolve) => (begin = resolve));
    const first = on(() =>
      atomic('first', async (tx) => {
        await tx.lvm.createLv({ ...volume, name: 'b' });
        begin();
        await held;
      }),
    );
    await begun;

    const error = await rejectionOf(on(() => lvm.removeLv({ vg: 'vg0', name: 'b' })));
    over();
    await first;

    expect(error).toMatchObject({ code: 'busy' });
  });
});

describe('an error', () => {
  it('of an undone sequence has the step, the code of its cause, the undone steps, the id and the remedy', async () => {
    const { on } = await start();

    const error = await rejectionOf(
      on(() =>
        atomic('disk', async (tx) => {
          await tx.lvm.createLv({ ...volume, name: 'b' });
          await tx.lvm.createLv(volume);
        }),
      ),
    );

    expect(error).toMatchObject({
      code: 'rolled-back',
      causeCode: 'exists',
      failed: 'lvm.createLv',
      undone: ['lvm.createLv (logical volume vg0/b)'],
      id: expect.stringMatching(/^[0-9a-f]{12}$/) as unknown,
      remedy: expect.stringContaining('choose another name') as unknown,
    });
    const json = JSON.parse(JSON.stringify(error)) as bofh.ErrorAsJson;
    expect(json.cause).not.toHaveProperty('host');
    expect(json).toMatchObject({
      ...{
        class: 'RolledBackError',
        code: 'rolled-back',
        host: 'restored',
        id: (error as { id: string }).id,
      },
      ...{ failed: 'lvm.createLv', causeCode: 'exists', undone: ['lvm.createLv (logical volume vg0/b)'] },
      cause: { class: 'RefusedError', code: 'exists' },
    });
  });

  it('has no undone step whose object is of another sequence', async () => {
    const { host, on } = await start();
    const attach = (name: string) => {
      const file = `/srv/${name}`;
      host.admin.writeFile(file, 'x'.repeat(4096));
      return on(() =>
        atomic(name, async (tx) => {
          await tx.block.attachLoop({ file });
          throw new Error('enough');
        }),
      );
    };

    // Both choose the same free loop device, and the slower one chooses again.
    const errors = await Promise.all([attach('b'), attach('c')].map(rejectionOf));

    const one = [expect.stringContaining('block.attachLoop')];
    expect(errors).toMatchObject([
      { message: expect.stringContaining('enough') as unknown, undone: one },
      { message: expect.stringContaining('enough') as unknown, undone: one },
    ]);
  });

  it('of a signal has the signal, the sequence and the undone steps', async () => {
    const { simulated } = await start();
    const stop = new AbortController();

    const error = await rejectionOf(
      withBofh({ ...simulated, signals: { stop: stop.signal } }, () =>
        atomic('disk', async (tx) => {
          await tx.lvm.createLv({ ...volume, name: 'b' });
          stop.abort('no more time');
        }),
      ),
    );

    expect(error).toMatchObject({
      ...{ code: 'interrupted', reason: 'no more time', undone: ['lvm.createLv (logical volume vg0/b)'] },
      id: expect.stringMatching(/^[0-9a-f]{12}$/) as unknown,
    });
  });

  it('is explained to a program as on the console', async () => {
    const { on } = await start();
    const error = await rejectionOf(on(() => lvm.createLv(volume)));
    const { failed, host, next } = onConsole(error, { root: true });

    expect(explain(error)).toBe(`bofh: ${failed}\n  host: ${host}\n  next: ${String(next)}`);
  });

  it('names calls and options of the library to a program, and commands at the console', async () => {
    const { on } = await start();
    const attach = () => rejectionOf(on(() => block.attachLoop({ file: '/srv/none.img' })));

    expect(await attach()).toMatchObject({ remedy: 'create it: block.createImage' });
    expect(await atConsole(attach)).toMatchObject({
      remedy: 'create it: bofh block image create /srv/none.img SIZE',
    });
  });

  it('of a stuck sequence has its steps in JSON', () => {
    const step = { n: 1, kind: 'lvm.lv.create', objects: ['lv:vg0/b'] };
    const error = new bofh.StuckError('x', {
      committed: false,
      blocked: [step],
      undone: [{ ...step, n: 2 }],
    });

    expect(JSON.parse(JSON.stringify(error))).toMatchObject({
      ...{ committed: false, blocked: [step], undone: [{ ...step, n: 2 }], remaining: [] },
    });
  });

  it('that is its own cause, or has several causes, is JSON too', () => {
    const odd = new bofh.RefusedError('odd');
    Object.assign(odd, { cause: odd });
    const several = new bofh.RefusedError('both', { cause: new AggregateError([odd, 'text'], 'two') });

    expect(JSON.parse(JSON.stringify(several))).toMatchObject({
      cause: { errors: [{ message: 'odd' }, { class: 'string', message: 'text' }] },
    });
  });
});

describe('docs/library.md', () => {
  const page = readFileSync(new URL('../../docs/library.md', import.meta.url), 'utf8');
  // Tables of other sections have words in code too.
  const [section = ''] = page.split('\n## Ensure');
  const rows = [
    ...section.matchAll(/^\| `(?<code>[a-z-]+)` \| (?<classes>[^|]+) \| (?<exit>[^|]+) \|/gm),
  ].map(({ groups }) => groups ?? {});

  it('lists every code once', () => {
    expect(rows.map(({ code }) => code)).toEqual([...errorCodes]);
  });

  it.each(
    [
      new bofh.UsageError('x'),
      new bofh.RefusedError('x'),
      new bofh.ToolError('x'),
      new bofh.ParseError('x'),
      new bofh.JournalError('x'),
      new bofh.SequenceEnded('x'),
      new bofh.InterruptedError('x'),
      new bofh.StuckError('x', { committed: false }),
      new bofh.RolledBackError('x', { cause: new Error('y') }),
      new bofh.ConnectionError('x', { host: 'web2', connection: 'none' }),
      new bofh.CommandError({ tool: 'lvs', argv: [], reason: 'unknown' }),
    ].map((error) => [error.name, error] as const),
  )('has the code and the exit code of %s', (name, error) => {
    const row = rows.find(({ code }) => code === error.code);

    expect(row?.classes).toContain(`\`${name}\``);
    expect(row?.exit).toContain(String(onConsole(error, { root: true }).exitCode));
  });
});

it.each([
  [
    "  /dev/vg0: already exists in filesystem\n  Run `vgcreate --help' for more information.\n",
    'already exists in filesystem',
  ],
  ["mv: cannot stat 'a'\nTry 'mv --help' for more information.\n", "cannot stat 'a'"],
  ["Try 'mv --help' for more information.", 'for more information'],
  [
    'mount: /mnt: wrong fs type, bad option, bad superblock on /dev/loop0, or other error.\n       dmesg(1) may have more information after failed mount system call.\n',
    'wrong fs type, bad option, bad superblock on /dev/loop0, or other error',
  ],
])('the error of a program quotes its message, not its hint at a help text: %j', (stderr, said) => {
  const error = new CommandError({ tool: 'vgcreate', argv: ['vg0'], reason: 'unknown', exitCode: 3, stderr });
  expect(error.message).toMatch(new RegExp(`${said}.?$`));
});

it('the remedy for a read-only filesystem says how to mount it writable', () => {
  const what = "EROFS: read-only file system, open '/mnt/a'";
  const error = new CommandError({ tool: 'file', argv: ['create', '/mnt/a'], reason: 'denied', what });
  expect(error.remedy).toMatch(/^its filesystem is read-only: .*mount -o remount,rw/);
});
