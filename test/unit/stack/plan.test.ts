import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Limits } from '../../../src/blockdevice/layer.ts';
import { RefusedError } from '../../../src/core/errors.ts';
import { type ChainLayer, planResize, type ResizePlan } from '../../../src/stack/plan.ts';

const [kib, mib, gib] = [1024, 1024 ** 2, 1024 ** 3];
const yes = { may: true } as const;

function limits(changes: Partial<Limits> & Pick<Limits, 'size'>): Limits {
  const smallest = { size: 0, why: 'as the test says' };
  return { granularity: 4 * kib, overhead: 0, smallest, grow: yes, shrink: yes, ...changes };
}

/** LV of 4 MiB extents, LUKS with its 16 MiB, ext4 with something in it. */
function encrypted(
  changes: { readonly used?: number; readonly lv?: Partial<Limits>; readonly fs?: Partial<Limits> } = {},
): ChainLayer[] {
  const lv = limits({
    ...{ size: 10 * gib, granularity: 4 * mib, smallest: { size: 4 * mib, why: 'one extent' } },
    ...{ largest: { size: 30 * gib, why: 'vg0 has no more free extents' }, ...changes.lv },
  });
  return [
    { title: 'the logical volume vg0/web1', limits: lv },
    {
      title: 'the LUKS mapping',
      limits: limits({ size: lv.size - 16 * mib, granularity: 512, overhead: 16 * mib }),
    },
    {
      title: 'the ext4',
      limits: limits({
        ...{
          size: lv.size - 16 * mib,
          smallest: { size: changes.used ?? 5 * gib, why: 'its files need it' },
        },
        ...changes.fs,
      }),
    },
  ];
}

const plain = { asked: 0, margin: 4 * mib };

function shortly({ steps }: ResizePlan): readonly string[] {
  return steps.map(
    ({ layer, direction, to, fill }) => `${layer} ${direction} ${to / mib}${fill ? ' fill' : ''}`,
  );
}

describe('a plan to resize a stack', () => {
  it('grows from the lowest layer up, each as large as the one beneath allows', () => {
    const plan = planResize({ chain: encrypted(), ...plain, to: { by: 5 * gib } });

    expect(shortly(plan)).toEqual(['0 grow 15360', '1 grow 15344 fill', '2 grow 15344 fill']);
  });

  it('shrinks from the filesystem down, with a margin that the last step fills', () => {
    const plan = planResize({ chain: encrypted(), ...plain, to: { size: 8 * gib } });

    expect(shortly(plan)).toEqual(['2 shrink 8172', '1 shrink 8176', '0 shrink 8192', '2 grow 8176 fill']);
  });

  it('uses a smaller margin where the filesystem has no more space', () => {
    const plan = planResize({ chain: encrypted({ used: 8175 * mib }), ...plain, to: { size: 8 * gib } });

    expect(shortly(plan)[0]).toBe('2 shrink 8175');
  });

  it('uses none where the filesystem could not grow again', () => {
    const chain = encrypted({ fs: { grow: { may: false, why: 'of the test' } } });

    expect(shortly(planResize({ chain, ...plain, to: { size: 8 * gib } }))).toEqual([
      '2 shrink 8176',
      '1 shrink 8176',
      '0 shrink 8192',
    ]);
  });

  it('cuts no layer of an odd size while the others grow', () => {
    const chain = encrypted({ lv: { size: 10 * gib + 512, granularity: 512 } });
    chain.splice(2);
    const odd = limits({ size: 10 * gib + 512, granularity: 4 * kib });
    chain[1] = { title: 'the ext4', limits: odd };

    expect(planResize({ chain, ...plain, to: { size: 10 * gib + 512 } }).sizes).toEqual([odd.size, odd.size]);
  });

  it('gives the named layer the size, and the others their part of it', () => {
    const plan = planResize({ chain: encrypted(), ...plain, asked: 1, to: { size: 12 * gib } });

    expect(plan.sizes).toEqual([12 * gib + 16 * mib, 12 * gib, 12 * gib]);
  });

  it('rounds up to a common multiple of all layers, and says so', () => {
    const plan = planResize({ chain: encrypted(), ...plain, to: { size: 12 * gib + 1 } });

    expect([plan.sizes[0], plan.roundedFrom, plan.granularity]).toEqual([
      12 * gib + 4 * mib,
      12 * gib + 1,
      4 * mib,
    ]);
  });

  it('has one step for a single layer', () => {
    const [lv] = encrypted();
    const plan = planResize({ chain: lv === undefined ? [] : [lv], ...plain, to: { by: -gib } });

    expect(shortly(plan)).toEqual(['0 shrink 9216']);
  });

  it('has no step for the current size, also where the disk beneath has an odd size', () => {
    const fixed = { may: false, why: 'a disk' } as const;
    const odd = 10 * gib + 512;
    const chain = encrypted({
      lv: { size: odd, granularity: 512, grow: fixed, shrink: fixed, largest: { size: odd, why: 'a disk' } },
    });
    chain.splice(2);

    expect(planResize({ chain, ...plain, to: { size: odd } }).steps).toEqual([]);
    expect(planResize({ chain, ...plain, to: 'max' }).steps).toEqual([]);
  });

  it('completes a stack that was grown partly', () => {
    const chain = encrypted({ fs: { size: 8 * gib } });

    expect(shortly(planResize({ chain, ...plain, to: { size: 10 * gib } }))).toEqual(['2 grow 10224 fill']);
  });

  it('uses the available space for max, and the needed space for min', () => {
    expect(planResize({ chain: encrypted(), ...plain, to: 'max' }).sizes[0]).toBe(30 * gib);
    expect(planResize({ chain: encrypted({ used: gib + 1 }), ...plain, to: 'min' }).sizes[0]).toBe(
      gib + 24 * mib,
    );
  });

  it('grows nothing for min, also where the lowest layer stays and a filesystem does not fill it', () => {
    const lv = { size: 300 * mib, smallest: { size: 300 * mib, why: 'it is a disk' } };
    const fs = { size: 100 * mib };
    const fixed = planResize({ chain: encrypted({ lv, fs, used: 26 * mib }), ...plain, to: 'min' });
    expect(fixed.steps.filter(({ direction }) => direction === 'grow')).toEqual([]);
    const least = { ...lv, smallest: { size: 200 * mib, why: 'it has snapshots' } };
    const cut = planResize({ chain: encrypted({ lv: least, fs, used: 26 * mib }), ...plain, to: 'min' });
    expect(shortly(cut)).toEqual(['1 shrink 184', '0 shrink 200']);
    expect(cut.sizes[2]).toBe(100 * mib);
  });

  it('shrinks nothing when min is larger than the layer', () => {
    expect(
      planResize({ chain: encrypted({ used: 10 * gib - 16 * mib }), ...plain, to: 'min' }).steps,
    ).toEqual([]);
  });

  it.each([
    [
      'a filesystem that cannot',
      { fs: { shrink: { may: false, why: 'xfs cannot shrink' } } },
      { by: -gib },
      /xfs cannot shrink/,
    ],
    ['used space', { used: 9 * gib }, { size: 8 * gib }, /needs 9 GiB, its files need it/],
    ['no free extents', {}, { size: 31 * gib }, /at most 30 GiB, vg0 has no more free extents/],
    ['nothing left', {}, { by: -10 * gib }, /no bytes left/],
    ['layers that do not fit already', { fs: { size: 10 * gib } }, { by: gib }, /do not fit into each other/],
    ['max without an end', { lv: { largest: undefined } as never }, 'max', /no largest size/],
  ] as const)('is refused for %s', (_what, changes, to, message) => {
    expect(() => planResize({ chain: encrypted(changes), ...plain, to })).toThrow(message);
    expect(() => planResize({ chain: encrypted(changes), ...plain, to })).toThrow(RefusedError);
  });

  it('names every reason at once', () => {
    const no = { may: false, why: 'it is a snapshot' } as const;
    const chain = encrypted({ lv: { shrink: no }, fs: { shrink: { may: false, why: 'it is mounted' } } });

    expect(() => planResize({ chain, ...plain, to: { by: -gib } })).toThrow(/mounted.*snapshot/);
  });
});

const granularities = fc.constantFrom(512, 4 * kib, mib, 4 * mib, 12 * mib);
const overheads = fc.constantFrom(0, 512 * 33, 4 * kib, mib, 16 * mib);
const layerShape = fc.record({
  granularity: granularities,
  overhead: overheads,
  slack: fc.integer({ min: 0, max: 3 }),
  used: fc.double({ min: 0, max: 1, noNaN: true }),
  grows: fc.boolean(),
});

/** A chain whose layers fit, some of them with room to spare. */
const chains = fc
  .record({
    size: fc.integer({ min: 40, max: 4000 }),
    shapes: fc.array(layerShape, { minLength: 1, maxLength: 4 }),
    free: fc.integer({ min: 0, max: 500 }),
  })
  .map(({ size, shapes, free }) => {
    const chain: ChainLayer[] = [];
    for (const [at, { granularity, overhead, slack, used, grows }] of shapes.entries()) {
      const beneath = chain.at(-1)?.limits.size;
      const room = beneath === undefined ? size * 12 * mib : beneath - overhead - slack * granularity;
      const own = room - (room % granularity);
      chain.push({
        title: `layer ${at}`,
        limits: limits({
          ...{ size: own, granularity, overhead: at === 0 ? 0 : overhead },
          smallest: { size: Math.floor(own * used), why: 'used' },
          ...(at === 0 ? { largest: { size: own + free * 12 * mib, why: 'free' } } : {}),
          grow: at === shapes.length - 1 && !grows ? { may: false, why: 'never' } : yes,
        }),
      });
    }
    return chain;
  });

const requests = fc.oneof(
  fc.record({ size: fc.integer({ min: mib, max: 50 * gib }) }),
  fc.record({ by: fc.integer({ min: -20 * gib, max: 6 * gib }) }),
  fc.constant('min' as const),
  fc.constant('max' as const),
);

function fits(chain: readonly ChainLayer[], sizes: readonly number[]): boolean {
  return chain.every(({ limits: { overhead } }, at) => {
    const beneath = sizes[at - 1];
    return beneath === undefined || (sizes[at] ?? 0) <= beneath - overhead;
  });
}

describe('every plan', () => {
  it('keeps each layer within the one beneath after each step, and after each undo', () => {
    let planned = 0;
    fc.assert(
      fc.property(
        chains,
        requests,
        fc.nat(3),
        fc.constantFrom(0, 1, mib, 4 * mib),
        (chain, to, pick, margin) => {
          const asked = pick % chain.length;
          const before = chain.map(({ limits: { size } }) => size);
          let plan: ResizePlan;
          try {
            plan = planResize({ chain, asked, to, margin });
          } catch (error) {
            expect(error).toBeInstanceOf(RefusedError);
            return;
          }
          planned += 1;
          const sizes = [...before];
          for (const { layer, from, to: next, direction } of plan.steps) {
            const { smallest, largest, granularity } = chain[layer]?.limits ?? limits({ size: 0 });
            expect(sizes[layer]).toBe(from);
            sizes[layer] = next;
            expect(fits(chain, sizes)).toBe(true);
            expect(next % granularity).toBe(0);
            expect(direction === 'grow' ? next > from : next < from).toBe(true);
            if (direction === 'shrink') expect(next).toBeGreaterThanOrEqual(smallest.size);
            if (largest !== undefined && direction === 'grow') expect(next).toBeLessThanOrEqual(largest.size);
          }
          const end = [...sizes];
          for (const { layer, from } of plan.steps.toReversed()) {
            sizes[layer] = from;
            expect(fits(chain, sizes)).toBe(true);
          }
          expect(sizes).toEqual(before);
          if (plan.steps.length > 0 && typeof to !== 'string') {
            const wanted = 'size' in to ? to.size : (before[asked] ?? 0) + to.by;
            expect(plan.sizes[asked]).toBeGreaterThanOrEqual(wanted);
            expect(plan.roundedFrom).toBe(plan.sizes[asked] === wanted ? undefined : wanted);
          }
          if (to === 'min') {
            expect(end.every((size, at) => size <= (before[at] ?? 0))).toBe(true);
            return;
          }
          // What could be filled is: whoever may grow has no whole unit left.
          for (const [at, { limits: own }] of chain.entries())
            if (at > 0 && own.grow.may)
              expect((end[at - 1] ?? 0) - own.overhead - (end[at] ?? 0)).toBeLessThan(own.granularity);
        },
      ),
      { numRuns: 3000 },
    );
    expect(planned).toBeGreaterThan(300);
  });
});
