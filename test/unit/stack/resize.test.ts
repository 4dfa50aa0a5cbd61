import { afterEach, describe, expect, it } from 'vitest';
import * as block from '../../../src/api/block.ts';
import type { Layer, Limits } from '../../../src/blockdevice/layer.ts';
import { withBofh } from '../../../src/bofh.ts';
import { RefusedError, RolledBackError } from '../../../src/core/errors.ts';
import { registerLayer } from '../../../src/layers.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';

const [mib, gib] = [1024 ** 2, 1024 ** 3];

/** Two layers of the test's own: a device and its content, whose sizes are numbers. */
interface World {
  readonly sizes: { device: number; content: number };
  /** What was done, in order. */
  readonly log: string[];
  /** Fails at this one of them. */
  failAt?: number;
  /** Ends well and has made another size. */
  wrong?: 'device' | 'content';
  readonly limits: { device: Partial<Limits>; content: Partial<Limits> };
}

const taken: (() => void)[] = [];
afterEach(() => {
  for (const forget of taken.splice(0)) forget();
});

function world(): World {
  const made: World = {
    sizes: { device: gib, content: gib - mib },
    log: [],
    limits: { device: {}, content: {} },
  };
  taken.push(registerLayer(layerOf(made, 'device')), registerLayer(layerOf(made, 'content')));
  return made;
}

function layerOf(made: World, of: 'device' | 'content'): Layer<Tx> {
  return {
    ...{ name: `test-${of}`, of },
    recognises: ({ device, content }) =>
      of === 'device' ? device.kind === 'volume' : content?.type === 'ext4',
    tell: async () => ({}),
    limits: async () => ({
      ...{ size: made.sizes[of], granularity: mib, overhead: of === 'content' ? mib : 0 },
      ...{
        smallest: { size: 100 * mib, why: 'of the test' },
        largest: { size: 4 * gib, why: 'of the test' },
      },
      ...{ grow: { may: true }, shrink: { may: true } },
      ...made.limits[of],
    }),
    resize: async (tx, _at, { size }) => {
      const before = made.sizes[of];
      await tx.effect(
        `resize ${of}`,
        () => {
          made.log.push(`${of} ${size / mib}`);
          if (made.log.length === made.failAt) throw new Error('the tool failed');
          made.sizes[of] = made.wrong === of ? size + mib : size;
        },
        () => {
          made.log.push(`back: ${of} ${before / mib}`);
          made.sizes[of] = before;
        },
      );
      return { size: made.sizes[of], when: 'now' };
    },
  };
}

function host(): SimulatedHost {
  const there = simulatedHost();
  there.admin.lvcreate({ vg: 'vg0', name: 'web1', extents: 256 });
  there.admin.format('/dev/vg0/web1', { type: 'ext4', usage: 'filesystem', uuid: 'u' });
  return there;
}

const device = '/dev/vg0/web1';

function resize(there: SimulatedHost, request: block.ResizeRequest): Promise<unknown> {
  return withBofh(simulatedBofh({ host: there }), () => block.resize(request));
}

describe('block.resize', () => {
  it('grows each layer from the lowest up, and reports the result of each', async () => {
    const made = world();

    const answer = await resize(host(), { device, to: { by: gib } });

    expect(made.log).toEqual(['device 2048', 'content 2047']);
    expect(answer).toMatchObject({
      asked: 0,
      layers: [
        { title: 'the test-device vg0/web1', from: gib, to: 2 * gib, when: 'now' },
        { from: gib - mib, to: 2 * gib - mib, when: 'now' },
      ],
    });
  });

  it('shrinks the content first, and grows it into the remaining space at the end', async () => {
    const made = world();

    await resize(host(), { device, to: { size: 512 * mib } });

    expect(made.log).toEqual(['content 507', 'device 512', 'content 511']);
  });

  it.each([1, 2, 3])('is undone, newest first, when step %d fails', async (failAt) => {
    const made = world();
    made.failAt = failAt;
    const before = { ...made.sizes };

    await expect(resize(host(), { device, to: { size: 512 * mib } })).rejects.toThrow(RolledBackError);

    expect(made.sizes).toEqual(before);
    expect(made.log.slice(failAt)).toEqual(
      ['back: content 507', 'back: device 1024', 'back: content 1023'].slice(3 - failAt),
    );
  });

  it.each(['device', 'content'] as const)(
    'is undone when the %s has another size than requested',
    async (wrong) => {
      const made = world();
      made.wrong = wrong;

      await expect(resize(host(), { device, to: { by: gib } })).rejects.toThrow(/after its step/);

      expect(made.sizes).toEqual({ device: gib, content: gib - mib });
    },
  );

  it('refuses before the first step, and leaves no journal', async () => {
    const made = world();
    made.limits.content = { shrink: { may: false, why: 'it is an xfs' } };
    const there = host();

    await expect(resize(there, { device, to: 'min' })).rejects.toThrow(RefusedError);

    expect(made.log).toEqual([]);
    expect(there.changes).toEqual([]);
  });

  it('has nothing to do for the current size', async () => {
    const made = world();

    await resize(host(), { device, to: { size: gib } });

    expect(made.log).toEqual([]);
  });
});

describe('a device alone', () => {
  it('grows regardless of its content', async () => {
    const made = world();

    await resize(host(), { device, to: { by: gib }, what: 'device' });

    expect(made.log).toEqual(['device 2048']);
  });

  it('does not shrink with known content', async () => {
    const made = world();

    await expect(resize(host(), { device, to: { by: -mib }, what: 'device' })).rejects.toThrow(/holds ext4/);

    expect(made.log).toEqual([]);
  });

  it('shrinks when blank; and a blank one needs a confirmation', async () => {
    const made = world();
    const there = host();
    there.admin.format(device, undefined);

    await expect(resize(there, { device, to: { by: -mib } })).rejects.toThrow(/has no known content/);
    await resize(there, { device, to: { by: -mib }, what: 'device' });

    expect(made.log).toEqual(['device 1023']);
  });
});

describe('a layer that bofh cannot resize', () => {
  it('has limits and no resize code: known before the first step', async () => {
    const made = world();
    const { resize: _, ...without } = layerOf(made, 'device');
    taken.push(registerLayer({ ...without, name: 'test-untaught' }));

    await expect(resize(host(), { device, to: { by: -mib } })).rejects.toThrow(/not resize it/);

    expect(made.log).toEqual([]);
  });

  it.each([
    ['swap', { type: 'swap', usage: 'other' }, /has no content to keep/],
    ['a thing that it has no layer for', { type: 'bcache', usage: 'other' }, /bofh cannot resize/],
  ] as const)('is refused with a remedy: %s', async (_what, superblock, why) => {
    world();
    const there = host();
    there.admin.format(device, superblock);

    await expect(resize(there, { device, to: { by: gib } })).rejects.toThrow(why);
  });

  it('may be a closed container without a key', async () => {
    world();
    const there = host();
    there.admin.format(device, { type: 'crypto_LUKS', usage: 'crypto', uuid: 'u', version: '2' });

    await expect(resize(there, { device, to: { by: gib } })).rejects.toThrow(/is closed/);
  });
});
