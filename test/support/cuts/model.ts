import type { Logged } from '../rig/served.ts';
import { below, type Draw, oneOf } from './draw.ts';

// What a disk with a volatile write cache may hold after a power cut. A request without its data is enough to decide it.

/** A request, as far as the model asks. */
export type Request = Omit<Logged, 'data'>;

const [sector, block] = [512, 4096];

/** A range of a disk, in bytes. */
export interface Range {
  readonly disk: number;
  readonly from: number;
  readonly to: number;
}

/** The power fails right after the `at`-th event; of what need not be on the disks, this part is. */
export interface Cut {
  readonly at: number;
  /** How likely an unflushed write is on the disk. */
  readonly kept: number;
  /** How likely a write of several sectors that is kept is torn. */
  readonly torn: number;
}

/** What becomes of one request: the parts of it that take effect, as bytes from its start, and by what. */
export interface Effect<R extends Request> {
  readonly request: R;
  readonly parts: readonly { readonly from: number; readonly to: number }[];
  /** Of a discard: what the sectors hold then. */
  readonly as?: 'before' | 'zeros' | 'garbage';
}

/** Figures of one cut. */
export interface Figures {
  /** Requests that need not have taken effect, and what became of them. */
  readonly unflushed: number;
  readonly lost: number;
  readonly torn: number;
}

/**
 * A write is safe when it was answered before a flush of its disk was sent that was answered before the cut; or when it bore
 * FUA and was answered. Any other one that was sent may be there whole, in part, or not at all, whatever became of the others.
 * Within `whole` a block of 4 KiB is not torn.
 */
export function effectsOf<R extends Request>(
  requests: readonly R[],
  cut: Cut,
  { draw, whole: kept = [] }: { readonly draw: Draw; readonly whole?: readonly Range[] },
): { readonly effects: readonly Effect<R>[]; readonly figures: Figures } {
  const sent = requests.filter((request) => request.sent <= cut.at).toSorted((a, b) => a.sent - b.sent);
  const flushed = new Map<number, number>();
  for (const { what, disk, sent: at, done } of sent)
    if (what === 'flush' && done <= cut.at) flushed.set(disk, Math.max(at, flushed.get(disk) ?? 0));
  const figures = { unflushed: 0, lost: 0, torn: 0 };
  const effects = sent
    .filter(({ what }) => what !== 'flush')
    .map((request): Effect<R> => {
      const { disk, length, done, fua } = request;
      const as =
        request.what === 'discard' ? { as: oneOf(draw, ['before', 'zeros', 'garbage'] as const) } : {};
      const whole = [{ from: 0, to: length }];
      if (done < (flushed.get(disk) ?? 0) || (fua && done <= cut.at)) return { request, parts: whole, ...as };
      figures.unflushed += 1;
      if (draw() >= cut.kept) {
        figures.lost += 1;
        return { request, parts: [], ...as };
      }
      const isWhole = kept.some(
        (range) => range.disk === disk && request.at < range.to && request.at + length > range.from,
      );
      const unit = isWhole ? block : sector;
      const isOne = Math.floor(request.at / unit) === Math.floor((request.at + length - 1) / unit);
      if (isOne || draw() >= cut.torn) return { request, parts: whole, ...as };
      figures.torn += 1;
      return { request, parts: tear(request, unit, draw), ...as };
    });
  return { effects, figures };
}

/** Its first units; or some of its units, each for itself. A unit begins at a multiple of its length on the disk. */
function tear(
  { at, length }: Request,
  unit: number,
  draw: Draw,
): readonly { readonly from: number; readonly to: number }[] {
  const ends = Array.from(
    { length: Math.floor((at + length - 1) / unit) - Math.floor(at / unit) },
    (_, n) => (Math.floor(at / unit) + n + 1) * unit - at,
  );
  const units = [0, ...ends].map((from, n) => ({ from, to: ends[n] ?? length }));
  if (draw() < 0.5) return [{ from: 0, to: oneOf(draw, ends) }];
  return units.filter(() => draw() < 0.5);
}

/** Where the power is cut: right when a flush was answered, with nothing unflushed kept; or between a write and the next flush of its disk. */
export function drawCut(requests: readonly Request[], span: { from: number; to: number }, draw: Draw): Cut {
  const inside = requests.filter(({ sent, done }) => sent > span.from && done <= span.to);
  const flushes = inside.filter(({ what }) => what === 'flush');
  const writes = inside.filter(({ what }) => what !== 'flush');
  if (draw() < 0.25)
    return { at: oneOf(draw, [span.from, ...flushes.map(({ done }) => done)]), kept: 0, torn: 0 };
  const kept = oneOf(draw, [0.1, 0.5, 0.5, 0.9]);
  const torn = oneOf(draw, [0, 0.3, 0.9]);
  const { disk, sent } = oneOf(draw, writes);
  const end = flushes.find((flush) => flush.disk === disk && flush.done > sent)?.done ?? span.to + 1;
  // Most is unflushed right before that flush is answered.
  return { at: draw() < 0.5 ? end - 1 : sent + below(draw, end - sent), kept, torn };
}
