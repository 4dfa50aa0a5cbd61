import { rejectionOf } from '../support/rejection.ts';
import { beforeEach, describe, expect, it } from 'vitest';
import * as filesystem from '../../src/api/filesystem.ts';
import * as lvm from '../../src/api/lvm.ts';
import { isMountpoint, MountPool } from '../../src/api/mount.ts';
import { AtomicOperationSequence } from '../../src/atomic/index.ts';
import { atomic, currentBofh, withBofh } from '../../src/bofh.ts';
import { InterruptedError, RolledBackError, SequenceEnded, UsageError } from '../../src/core/errors.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../src/simulator/index.ts';

let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
  for (const path of ['/media/tmp', '/media/tmp2']) host.admin.mkdir(path);
});

const on = <T>(body: () => Promise<T>): Promise<T> => withBofh(simulatedBofh({ host }), body);

describe('atomic()', () => {
  it('returns the value of its body when everything is committed', async () => {
    const path = await on(() =>
      atomic('disk', async (tx) => {
        const lv = await tx.lvm.createLv({ vg: 'vg0', name: 'a', size: '8m' });
        await tx.filesystem.create({ device: lv.path, type: 'ext4' });
        return lv.path;
      }),
    );

    expect(path).toBe('/dev/vg0/a');
    expect(await on(() => filesystem.probe(path))).toMatchObject({ type: 'ext4' });
  });

  it('undoes everything when a step fails, and says why', async () => {
    const before = host.snapshot();

    const failed = on(() =>
      atomic('disks', async (tx) => {
        await tx.lvm.createLv({ vg: 'vg0', name: 'a', size: '8m' });
        await tx.lvm.createLv({ vg: 'vg0', name: 'a', size: '8m' });
      }),
    );

    await expect(failed).rejects.toThrow(RolledBackError);
    await expect(failed).rejects.toThrow(/a/);
    expect(host.snapshot()).toBe(before);
  });

  it('undoes calls of `tx.call` in the order of the steps around, with their inverse', async () => {
    const did: string[] = [];
    const ring = (bell: string): void => void did.push(`ring ${bell}`);
    const volumes = (): number => host.world.lvm.flatMap(({ lvs }) => lvs).length;

    const failed = on(() =>
      atomic(
        'bells',
        async (tx) => {
          await tx.lvm.createLv({ vg: 'vg0', name: 'a', size: '8m' });
          await tx.call(ring, 'one');
          await tx.scope('inner', (inner) => inner.call(ring, 'two'));
          throw new Error('no more');
        },
        {
          reverse: (f, args) =>
            f === ring ? () => did.push(`${volumes()}: hush ${String(args[0])}`) : undefined,
        },
      ),
    );

    await expect(failed).rejects.toThrow(RolledBackError);
    expect(did).toEqual(['ring one', 'ring two', '1: hush two', '1: hush one']);
    expect(volumes()).toBe(0);
  });

  it('refuses a call of a function that has no inverse, and calls nothing', async () => {
    const failed = on(() =>
      atomic('bells', (tx) =>
        tx.call(function ring() {
          throw new Error('it rang');
        }),
      ),
    );

    await expect(failed).rejects.toThrow(/ring was not called, because bofh does not know how to undo it/);
  });

  it('names an edited file of the sequence, and leaves it untouched', async () => {
    const failed = on(() =>
      atomic('file', async (tx) => {
        await tx.file.create({ path: '/etc/note', content: 'ours\n', mode: 0o644 });
        host.admin.writeFile('/etc/note', 'theirs\n');
        throw new Error('no more');
      }),
    );

    await expect(failed).rejects.toMatchObject({ leftUntouched: [expect.stringContaining('/etc/note')] });
    expect(host.admin.readFile('/etc/note')).toBe('theirs\n');
  });

  it('refuses a change on a module, which would commit alone', async () => {
    const failed = on(() =>
      atomic('mixed', async (tx) => {
        await tx.lvm.createLv({ vg: 'vg0', name: 'a', size: '8m' });
        await lvm.createLv({ vg: 'vg0', name: 'b', size: '8m' });
      }),
    );

    await expect(failed).rejects.toMatchObject({ cause: expect.any(UsageError) as unknown });
    expect(await on(() => lvm.lvs())).toEqual([]);
  });

  it('refuses another atomic() inside, which would commit alone, while tx.scope is undone with the whole', async () => {
    const before = host.snapshot();
    const inner = () => atomic('inner', (tx) => tx.lvm.createLv({ vg: 'vg0', name: 'b', size: '8m' }));

    const failed = on(() =>
      atomic('outer', async (tx) => {
        await tx.lvm.createLv({ vg: 'vg0', name: 'a', size: '8m' });
        await inner();
      }),
    );

    await expect(failed).rejects.toMatchObject({
      cause: expect.objectContaining({ remedy: expect.stringContaining('tx.scope(') as unknown }) as unknown,
    });
    await expect(failed.catch((error: unknown) => (error as Error).cause)).resolves.toBeInstanceOf(
      UsageError,
    );
    expect(host.snapshot()).toBe(before);
  });

  it('refuses an AtomicOperationSequence inside, over the same engine', async () => {
    const failed = on(() =>
      atomic('outer', async (tx) => {
        await tx.lvm.createLv({ vg: 'vg0', name: 'a', size: '8m' });
        await new AtomicOperationSequence({ engine: currentBofh().engine, name: 'inner' }).run(() => 1);
      }),
    );

    await expect(failed).rejects.toThrow(/started inside atomic\(\)/);
  });

  it('allows another one after its end, also from a task that it left running', async () => {
    let later: Promise<unknown> | undefined;
    await on(() =>
      atomic('first', (tx) => {
        const ended = new Promise((resolve) => setTimeout(resolve, 20));
        later = ended.then(() =>
          atomic('second', (next) => next.lvm.createLv({ vg: 'vg0', name: 'b', size: '8m' })),
        );
        return tx.lvm.createLv({ vg: 'vg0', name: 'a', size: '8m' });
      }),
    );

    await later;

    expect((await on(() => lvm.lvs())).map(({ name }) => name)).toEqual(['a', 'b']);
  });

  it('allows reads on a module, and later changes', async () => {
    await on(() =>
      atomic('read', async (tx) => {
        await tx.lvm.createLv({ vg: 'vg0', name: 'a', size: '8m' });
        expect((await lvm.lvs()).map(({ name }) => name)).toEqual(['a']);
      }),
    );
    await on(() => lvm.removeLv({ vg: 'vg0', name: 'a' }));

    expect(await on(() => lvm.lvs())).toEqual([]);
  });

  it('ends a tx with its sequence', async () => {
    let kept: (() => Promise<unknown>) | undefined;
    await on(() =>
      atomic('kept', (tx) => {
        kept = () => tx.lvm.createLv({ vg: 'vg0', name: 'late', size: '8m' });
      }),
    );

    await expect(kept?.()).rejects.toThrow(SequenceEnded);
  });

  it.each([
    ['a new image', false],
    ['an image that was there', true],
  ])('refuses a lasting change of a device that a temporary step opened: %s', async (_, isThere) => {
    if (isThere) host.admin.writeFile('/srv/a.img', new Uint8Array(1024 ** 2));
    const before = host.snapshot();

    const failed = on(() =>
      atomic('image', async (tx) => {
        if (!isThere) await tx.block.createImage({ file: '/srv/a.img', size: '1m' });
        const { device } = await tx.temporary.block.attachLoop({ file: '/srv/a.img' });
        await tx.filesystem.create({ device, type: 'ext2' });
      }),
    );

    await expect(failed).rejects.toMatchObject({
      code: 'rolled-back',
      message: expect.stringContaining('only the temporary step block.attachLoop gives access to') as string,
      cause: { code: 'invalid' },
    });
    expect(host.snapshot()).toBe(before);
  });

  it('has the line of the call in the stack of its error', async () => {
    const failed = on(() =>
      atomic('image', async (tx) => {
        await tx.scope('within', async (own) => {
          await own.block.createImage({ file: '/no/such/directory/a.img', size: '1m' });
        });
      }),
    );

    const { stack } = (await rejectionOf(failed)) as Error;
    expect(stack).toMatch(/\n +at .*test\/unit\/bofh\.test\.ts:\d+/);
  });

  it('refuses a lasting change of a file in a filesystem that a temporary step mounted', async () => {
    await on(() =>
      atomic('volume', async (tx) => {
        const { path: device } = await tx.lvm.createLv({ vg: 'vg0', name: 'own', size: '16m' });
        await tx.filesystem.create({ device, type: 'ext4' });
      }),
    );
    const before = host.snapshot();

    const failed = on(() =>
      atomic('file', async (tx) => {
        const { path } = await tx.temporary.mount.mount({ device: '/dev/vg0/own', mode: 'rw' });
        await tx.file.create({ path: `${path}/new`, content: '' });
      }),
    );

    await expect(failed).rejects.toMatchObject({
      code: 'rolled-back',
      message: expect.stringMatching(
        /a lasting change to .*\/new, which only the temporary step mount\.mount/,
      ) as string,
      cause: { code: 'invalid', remedy: expect.stringContaining('without tx.temporary') as string },
    });
    expect(host.snapshot()).toBe(before);
  });

  it('undoes a scope that failed and was caught, and goes on', async () => {
    await on(() =>
      atomic('outer', async (tx) => {
        await tx.lvm.createLv({ vg: 'vg0', name: 'kept', size: '8m' });
        await tx
          .scope('inner', async (inner) => {
            await inner.lvm.createLv({ vg: 'vg0', name: 'dropped', size: '8m' });
            throw new Error('not this one');
          })
          .catch(() => undefined);
      }),
    );

    expect((await on(() => lvm.lvs())).map(({ name }) => name)).toEqual(['kept']);
  });
});

describe('a MountPool', () => {
  beforeEach(async () => {
    await on(async () => {
      const lv = await lvm.createLv({ vg: 'vg0', name: 'a', size: '8m' });
      await filesystem.create({ device: lv.path, type: 'ext4' });
    });
  });

  it('unmounts when the body throws, and passes its error on', async () => {
    const before = host.snapshot();
    const wrong = new Error('my own');

    const failed = on(() => new MountPool(['/media/tmp']).with('/dev/vg0/a', () => Promise.reject(wrong)));

    await expect(failed).rejects.toBe(wrong);
    expect(host.snapshot()).toBe(before);
  });

  it('keeps changes that the body makes', async () => {
    await on(() =>
      new MountPool(['/media/tmp']).with('/dev/vg0/a', async () => {
        await lvm.createLv({ vg: 'vg0', name: 'b', size: '8m' });
      }),
    );

    expect((await on(() => lvm.lvs())).map(({ name }) => name)).toEqual(['a', 'b']);
  });

  it('may be used inside atomic(), where a change on a module is still refused', async () => {
    const inside = (body: () => Promise<unknown>) =>
      on(() => atomic('outer', () => new MountPool(['/media/tmp']).with('/dev/vg0/a', body)));

    await inside(async () => expect(await isMountpoint('/media/tmp')).toBe(true));
    const failed = inside(() => lvm.createLv({ vg: 'vg0', name: 'b', size: '8m' }));

    await expect(failed).rejects.toThrow(UsageError);
    expect(await on(() => isMountpoint('/media/tmp'))).toBe(false);
  });

  it('releases a directory when the mount fails', async () => {
    const pool = new MountPool(['/media/tmp']);

    await expect(on(() => pool.with('/dev/vg0/none', async () => undefined))).rejects.toThrow();

    expect(await on(() => pool.with('/dev/vg0/a', async (path) => path))).toBe('/media/tmp');
  });

  it('keeps the mount for a body after a signal, and fails then', async () => {
    const stop = new AbortController();
    const bofh = {
      ...simulatedBofh({ host }),
      signals: { stop: stop.signal, abandon: new AbortController().signal },
    };
    const seen: boolean[] = [];

    const ended = withBofh(bofh, () =>
      new MountPool(['/media/tmp']).with('/dev/vg0/a', async () => {
        stop.abort();
        await new Promise((resolve) => setImmediate(resolve));
        seen.push(await isMountpoint('/media/tmp'));
      }),
    );

    await expect(ended).rejects.toThrow(InterruptedError);
    expect(seen).toEqual([true]);
    expect(await on(() => isMountpoint('/media/tmp'))).toBe(false);
  });
});
