import { describe, expect, it } from 'vitest';
import { drawOf } from '../../support/cuts/draw.ts';
import { drawCut, effectsOf, type Request } from '../../support/cuts/model.ts';

/** Requests of disk 0 by their place: `sent` and `done` are counted as they come, `sends` are sent before any is answered. */
function requests(...all: readonly (Partial<Request> & Pick<Request, 'what'>)[]): readonly Request[] {
  return all.map((one, n) => ({
    ...{ disk: 0, at: n * 4096, length: 4096, fua: false, sent: 2 * n + 1, done: 2 * n + 2 },
    ...one,
  }));
}

const nothing = { kept: 0, torn: 0 };

/** Numbers of the requests of which something is on the disk. */
function there(all: readonly Request[], cut: { at: number; kept: number; torn: number }, seed = 1): number[] {
  const { effects } = effectsOf(all, cut, { draw: drawOf(seed) });
  return effects.filter(({ parts }) => parts.length > 0).map(({ request }) => all.indexOf(request));
}

describe('the content of a disk after a power cut', () => {
  const all = requests(
    { what: 'write' },
    { what: 'flush' },
    { what: 'write' },
    { what: 'write' },
    { what: 'flush' },
  );

  it('may be exactly the writes before the last flush', () => {
    expect(there(all, { at: 4, ...nothing })).toEqual([0]);
    expect(there(all, { at: 9, ...nothing })).toEqual([0]);
    expect(there(all, { at: 10, ...nothing })).toEqual([0, 2, 3]);
  });

  it('may lack a write whose flush was not answered', () => {
    expect(there(all, { at: 3, ...nothing })).toEqual([]);
  });

  it('may have any subset of unflushed writes', () => {
    const subsets = Array.from({ length: 60 }, (_, seed) =>
      there(all, { at: 9, kept: 0.5, torn: 0 }, seed).join(),
    );
    expect([...new Set(subsets)].sort()).toEqual(['0', '0,2', '0,2,3', '0,3']);
  });

  it('may lack a write that was answered only after the flush was sent', () => {
    const late = requests({ what: 'write', sent: 1, done: 3 }, { what: 'flush', sent: 2, done: 4 });

    expect(there(late, { at: 4, ...nothing })).toEqual([]);
    expect(there(late, { at: 4, kept: 1, torn: 0 })).toEqual([0]);
  });

  it('does not depend on flushes of another disk', () => {
    expect(there(requests({ what: 'write' }, { what: 'flush', disk: 1 }), { at: 4, ...nothing })).toEqual([]);
  });

  it('has a write with FUA once it was answered', () => {
    const fua = requests({ what: 'write', fua: true });

    expect(there(fua, { at: 1, ...nothing })).toEqual([]);
    expect(there(fua, { at: 2, ...nothing })).toEqual([0]);
  });

  it('may have some whole sectors of a torn write', () => {
    const torn = Array.from({ length: 40 }, (_, seed) =>
      effectsOf(
        requests({ what: 'write' }),
        { at: 2, kept: 1, torn: 1 },
        { draw: drawOf(seed) },
      ).effects.flatMap(({ parts }) => parts),
    );

    expect(
      torn.flat().every(({ from, to }) => from % 512 === 0 && to % 512 === 0 && from < to && to <= 4096),
    ).toBe(true);
    expect(torn.some((parts) => parts.length > 1)).toBe(true);
    expect(torn.some((parts) => parts.length === 1 && parts[0]?.from === 0)).toBe(true);
  });

  it('may have whole blocks of 4 KiB only, also of a write that begins within one', () => {
    const one = requests({ what: 'write', at: 1024, length: 9216 });
    const whole = [{ disk: 0, from: 0, to: 4096 }];
    const ends = Array.from({ length: 40 }, (_, seed) =>
      effectsOf(one, { at: 2, kept: 1, torn: 1 }, { draw: drawOf(seed), whole }).effects.flatMap(
        ({ parts }) => parts.flatMap(({ from, to }) => [from, to]),
      ),
    );

    expect(new Set(ends.flat())).toEqual(new Set([0, 3072, 7168, 9216]));
  });

  it('is arbitrary where it was discarded, also after a flush', () => {
    const discarded = requests({ what: 'discard' }, { what: 'flush' });
    const as = Array.from(
      { length: 40 },
      (_, seed) => effectsOf(discarded, { at: 4, ...nothing }, { draw: drawOf(seed) }).effects[0]?.as,
    );

    expect([...new Set(as)].sort()).toEqual(['before', 'garbage', 'zeros']);
  });

  it('is the same for the same seed', () => {
    const drawn = (seed: number) => drawCut(all, { from: 0, to: 10 }, drawOf(seed, 'x', 1));

    expect(drawn(5)).toEqual(drawn(5));
    expect(new Set(Array.from({ length: 50 }, (_, seed) => drawn(seed).at)).size).toBeGreaterThan(5);
  });
});
