import { AsyncResource } from 'node:async_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { atomic as atomicOfApi, type Tx as ApiTx } from '../../../src/api/atomic.ts';
import * as vm from '../../../src/api/vm.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { type Bofh } from '../../../src/connect.ts';
import { BofhError, JournalError, RefusedError } from '../../../src/core/errors.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedBofh, simulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';

type Act = (tx: Tx) => Promise<unknown>;

const image: Act = (tx) => tx.block.createImage({ file: '/srv/x.img', size: '8m' });
const volume: Act = (tx) => tx.lvm.createLv({ vg: 'vg0', name: 'a', size: '8m' });
const format: Act = (tx) => tx.filesystem.create({ device: '/dev/vg0/a', type: 'ext4' });
const attached: Act = async (tx) => {
  await image(tx);
  await tx.block.attachLoop({ file: '/srv/x.img' });
};
const formatted: Act = async (tx) => {
  await attached(tx);
  await tx.filesystem.create({ device: '/dev/loop0', type: 'ext4' });
};

/** A host with an empty volume vg0/old. */
async function start(waitMs = 0) {
  const host = simulatedHost();
  host.admin.mkdir('/srv');
  host.admin.mkdir('/mnt/a');
  const plain = simulatedBofh({ host });
  const bofh: Bofh = { ...plain, engine: { ...plain.engine, waitMs } };
  const on = <T>(name: string, body: (tx: Tx) => Promise<T>) => withBofh(bofh, () => atomic(name, body));
  await on('old', (tx) => tx.lvm.createLv({ vg: 'vg0', name: 'old', size: '8m' }));
  return { host, on };
}

/** The error of the second sequence while the first one has done `first` and still runs. */
async function meanwhile(first: Act, second: Act, waitMs = 0, end: 'commits' | 'fails' = 'commits') {
  const { on } = await start(waitMs);
  let begin = (): void => undefined;
  const begun = new Promise<void>((resolve) => (begin = resolve));
  let over = (): void => undefined;
  const held = new Promise<void>((resolve) => (over = resolve));
  const a = on('first', async (tx) => {
    await first(tx);
    begin();
    await held;
    if (end === 'fails') throw new Error('on purpose');
  }).catch(() => undefined);
  await Promise.race([begun, a]);
  const b = on('second', second).then(
    () => 'done' as const,
    (error: unknown) => error,
  );
  if (waitMs > 0) await delay(300);
  else await b;
  over();
  await a;
  return await b;
}

describe('while another sequence works on the object', () => {
  it.each<readonly [string, Act, Act, string]>([
    ['a file that it created', image, image, '/srv/x.img'],
    ['a file that it attached', attached, (tx) => tx.block.attachLoop({ file: '/srv/x.img' }), 'x.img'],
    [
      'a device that it formatted',
      formatted,
      (tx) => tx.filesystem.create({ device: '/dev/loop0', type: 'ext4' }),
      'x.img',
    ],
    ['a volume that it created', volume, volume, 'logical volume vg0/a'],
    [
      'a volume that it renamed',
      (tx) => tx.lvm.renameLv({ vg: 'vg0', name: 'old', to: 'new' }),
      (tx) => tx.lvm.removeLv({ vg: 'vg0', name: 'old' }),
      'logical volume vg0/old',
    ],
    [
      'a volume that it formatted and mounted',
      async (tx) => {
        await volume(tx);
        await format(tx);
        await tx.mount.mount({ device: '/dev/vg0/a', mode: 'rw', path: '/mnt/a' });
      },
      (tx) => tx.lvm.removeLv({ vg: 'vg0', name: 'a' }),
      'logical volume vg0/a',
    ],
  ])('%s: names that sequence, not how to destroy its object', async (_what, first, second, key) => {
    const error = await meanwhile(first, second);

    expect(error).toBeInstanceOf(JournalError);
    const { message, remedy } = error as BofhError;
    expect(message).toContain(key);
    expect(message).toMatch(/is in use by sequence \S+ "first" \(pid \d+: .*bofh/);
    expect(remedy).toBe('run the command again when it has ended, or with wait: 60_000');
  });

  it('waits for its time limit, and checks the object again then', async () => {
    const [committed, failed] = await Promise.all([
      meanwhile(image, image, 5000),
      meanwhile(image, image, 5000, 'fails'),
    ]);

    expect(committed).toBeInstanceOf(RefusedError);
    expect((committed as BofhError).message).toContain('exists');
    expect(failed).toBe('done');
  });

  it('a refusal for another object is given at once', async () => {
    const error = await meanwhile(image, (tx) => tx.lvm.createLv({ vg: 'vg0', name: 'old', size: '8m' }));

    expect(error).toBeInstanceOf(RefusedError);
    expect((error as BofhError).message).toContain('vg0/old');
  });

  it('a request that is too large is refused because the group is full', async () => {
    const error = await meanwhile(volume, (tx) => tx.lvm.createLv({ vg: 'vg0', name: 'b', size: '1t' }));

    expect(error).toBeInstanceOf(RefusedError);
  });

  it('its own objects are checked as usual', async () => {
    const { on } = await start();

    const error = await rejectionOf(
      on('one', async (tx) => {
        await volume(tx);
        await volume(tx);
      }),
    );

    expect((error as Error).message).toContain('vg0/a');
    expect((error as Error).message).not.toContain('in use by sequence');
  });
});

describe('after a sequence was killed', () => {
  const volumeThere: Act = (tx) => tx.lvm.removeLv({ vg: 'vg0', name: 'a' });
  const ownFile: Act = (tx) => tx.file.create({ path: '/srv/x.img', content: '', mode: 0o600 });

  it.each<readonly [string, Act, Act]>([
    ['an image of that name', image, image],
    ['a file of that name', image, ownFile],
    ['a volume of that name', volume, volume],
    ['what it created', volume, volumeThere],
    ['a filesystem on its volume', volume, format],
  ])('%s: is locked until recovery', async (_title, first, second) => {
    const { host } = await start();
    const lost = withBofh(simulatedBofh({ host }), () =>
      atomic('first', async (tx) => {
        await first(tx);
        host.kill();
        await first(tx);
      }),
    );
    await rejectionOf(lost);
    const again = simulatedBofh({ host: host.restart() });

    const error = await rejectionOf(withBofh(again, () => atomic('second', second)));

    expect(error).toBeInstanceOf(JournalError);
    expect(error).toMatchObject({
      code: 'unfinished',
      message: expect.stringContaining('belongs to the unfinished sequence') as string,
      remedy: expect.stringContaining('bofh recover') as string,
    });
  });

  it('a usage error stays one', async () => {
    const { host } = await start();
    await rejectionOf(
      withBofh(simulatedBofh({ host }), () =>
        atomic('first', async (tx) => {
          await volume(tx);
          host.kill();
          await volume(tx);
        }),
      ),
    );
    const again = simulatedBofh({ host: host.restart() });
    const wrong: Act = (tx) => tx.lvm.createLv({ vg: 'vg0', name: 'a', size: 'nonsense' });

    const error = await rejectionOf(withBofh(again, () => atomic('second', wrong)));

    expect(error).toMatchObject({ code: 'invalid' });
  });
});

describe('a recipe for a guest of another sequence', () => {
  const web1 = {
    name: 'web1',
    source: 'tar:/srv/root.tar',
    vg: 'vg0',
    size: '64m',
    memory: '128m',
    kernel: '/boot/vmlinuz',
    ramdisk: '/boot/initrd',
  } as const;
  type Guest = (tx: ApiTx) => Promise<unknown>;
  const create: Guest = (tx) => tx.vm.create(web1);

  /** The error of a call while a sequence has done `first`, which then fails. */
  async function during(first: Guest, second: () => Promise<unknown>, waitMs = 0): Promise<unknown> {
    const host = simulatedHost();
    host.addTar('/srv/root.tar', [{ path: 'etc', type: 'directory' }]);
    for (const path of ['/boot/vmlinuz', '/boot/initrd']) host.admin.writeFile(path, 'x');
    const plain = simulatedBofh({ host });
    const bofh: Bofh = { ...plain, engine: { ...plain.engine, waitMs } };
    let end = (): void => undefined;
    const held = new Promise<void>((resolve) => (end = resolve));
    let told: Promise<unknown> | undefined;
    const all = withBofh(bofh, () =>
      atomicOfApi('first', async (tx) => {
        await first(tx);
        told = withoutSequence(bofh, second);
        if (waitMs > 0) void delay(300).then(end);
        else void told.then(end);
        await held;
        throw new Error('on purpose');
      }),
    );
    await rejectionOf(all);
    return await told;
  }

  const outside = new AsyncResource('outside a sequence');
  const withoutSequence = (bofh: Bofh, body: () => Promise<unknown>): Promise<unknown> =>
    outside.runInAsyncScope(() =>
      withBofh(bofh, body).then(
        () => 'done',
        (error: unknown) => error,
      ),
    );

  it.each<readonly [string, Guest, () => Promise<unknown>]>([
    ['vm.create', create, () => vm.create(web1)],
    [
      'vm.create, of whose guest there is one volume',
      (tx) => tx.lvm.createLv({ vg: 'vg0', name: 'web1-root', size: '8m' }),
      () => vm.create(web1),
    ],
    ['vm.remove', create, () => vm.remove({ name: 'web1', running: 'refuse' })],
    ['vm.set', create, () => vm.set('web1', { memory: '64m' })],
    ['vm.rename', create, () => vm.rename('web1', 'web2')],
    ['vm.resize', create, () => vm.resize('web1', 'root', { by: '+8m' })],
    ['vm.createSnapshot', create, () => vm.createSnapshot('web1', 'a')],
  ])('%s: names that sequence, not how to destroy its object', async (_what, first, second) => {
    expect(await during(first, second)).toMatchObject({
      code: 'busy',
      message: expect.stringMatching(/web1\S* is in use by sequence \S+ "first"/) as string,
      remedy: 'run the command again when it has ended, or with wait: 60_000',
    });
  });

  it('vm.create after a crash names the unfinished sequence', async () => {
    const host = simulatedHost();
    host.addTar('/srv/root.tar', [{ path: 'etc', type: 'directory' }]);
    for (const path of ['/boot/vmlinuz', '/boot/initrd']) host.admin.writeFile(path, 'x');
    host.fault({ tool: 'mkfs.ext4', mode: 'acts then crash' });
    await withBofh(simulatedBofh({ host }), () => vm.create(web1)).catch(() => undefined);

    const again = withBofh(simulatedBofh({ host: host.restart() }), () => vm.create(web1));

    await expect(again).rejects.toMatchObject({
      code: 'unfinished',
      message: expect.stringContaining(
        'logical volume vg0/web1-root belongs to the unfinished sequence',
      ) as string,
    });
  });

  it('vm.create waits, and checks the guest again then', async () => {
    expect(await during(create, () => vm.create(web1), 5000)).toBe('done');
  });

  it('vm.create of another guest is checked at once', async () => {
    expect(await during(create, () => vm.create({ ...web1, name: 'web2', vg: 'none' }))).toMatchObject({
      message: expect.stringContaining('none') as string,
    });
  });
});
