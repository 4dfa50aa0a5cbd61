import type { Limits } from '../blockdevice/layer.ts';
import { type ErrorCode, RefusedError } from '../core/errors.ts';
import { type Bytes, formatSize } from '../core/units.ts';
import { present } from '../core/present.ts';

/** The data of a layer that the plan needs. */
export interface ChainLayer {
  /** Text for messages: `the logical volume vg0/web1`. */
  readonly title: string;
  readonly limits: Limits;
}

/** The request. */
export interface ResizeRequest {
  /** From the lowest layer up; each is in the one before it. */
  readonly chain: readonly ChainLayer[];
  /** The index of the layer that gets the requested size. */
  readonly asked: number;
  readonly to: { readonly size: Bytes } | { readonly by: Bytes } | 'min' | 'max';
  /** Bytes by which the uppermost layer is shrunk more than needed, while the layers below are cut. */
  readonly margin: Bytes;
}

/** The resize of one layer. */
export interface ResizeStep {
  readonly layer: number;
  readonly from: Bytes;
  readonly to: Bytes;
  readonly direction: 'grow' | 'shrink';
  /** The layer fills the layer below. */
  readonly fill: boolean;
}

/** The steps, in this order. */
export interface ResizePlan {
  readonly steps: readonly ResizeStep[];
  /** Size of each layer at the end. */
  readonly sizes: readonly Bytes[];
  /** Sizes of the lowest layer are multiples of this number of bytes, so that all layers can follow. */
  readonly granularity: Bytes;
  /** The requested size, if the result differs. */
  readonly roundedFrom?: Bytes;
}

/**
 * The steps that bring a chain of layers to a size: growing from the lowest layer up, shrinking from the
 * uppermost down and then filling up again, so that after each step every layer fits in the one below, also
 * during the undo. Pure. Throws RefusedError, with every reason, if the size is impossible.
 */
export function planResize(request: ResizeRequest): ResizePlan {
  const { chain, asked } = request;
  refuseMisfits(chain);
  const granularity = granularityOf(chain);
  const lowest = lowestSize(request, granularity);
  const now = chain.map(({ limits }) => limits.size);
  const sizes = finalSizes(chain, lowest).map((size, at) =>
    // `min` does not grow a layer that does not fill the one below.
    request.to === 'min' ? Math.min(size, now[at] ?? size) : size,
  );
  const empty = sizes.findIndex((size) => size <= 0);
  if (empty >= 0)
    throw new RefusedError(`${chain[empty]?.title ?? ''} would have no bytes left`, {
      remedy: 'name a larger size, or min',
    });
  const steps = lowest < (now[0] ?? 0) ? shrinking(request, sizes) : growing(now, sizes);
  refuseForbidden(chain, steps);
  const { to } = request;
  const wanted = typeof to === 'string' ? undefined : 'size' in to ? to.size : (now[asked] ?? 0) + to.by;
  return {
    ...{ steps, sizes, granularity },
    ...(wanted === undefined || wanted === sizes[asked] ? {} : { roundedFrom: wanted }),
  };
}

/** The size that the lowest layer of a chain would get, whether it is allowed or not. */
export function lowestFor(request: ResizeRequest): Bytes {
  refuseMisfits(request.chain);
  return lowestSize(request, granularityOf(request.chain));
}

function granularityOf(chain: readonly ChainLayer[]): Bytes {
  return chain.reduce((all, { limits }) => leastCommonMultiple(all, limits.granularity), 1);
}

/** The size that the lowest layer needs, so that the requested layer gets its size. */
function lowestSize({ chain, asked, to, margin }: ResizeRequest, granularity: Bytes): Bytes {
  const bottom = chain[0]?.limits;
  if (bottom === undefined)
    throw new RefusedError('there is nothing to resize', { remedy: 'see what is there: bofh block tree' });
  if (to === 'max') return roundDown(Math.min(...largestBottoms(chain)), granularity, bottom.size);
  if (to === 'min') {
    const room = chain.at(-1)?.limits.grow.may === true && chain.length > 1 ? margin : 0;
    const needs = chain.map(({ limits }, at) => {
      const top = at === chain.length - 1 ? room : 0;
      return bottomFor(
        chain,
        at,
        roundUp(limits.smallest.size, limits.granularity) + roundUp(top, limits.granularity),
      );
    });
    // `min` does not grow a chain that is smaller already.
    return Math.min(roundUp(Math.max(...needs), granularity), bottom.size);
  }
  const size = 'size' in to ? to.size : (chain[asked]?.limits.size ?? 0) + to.by;
  // If the size does not change, no rounding is needed.
  if (finalSizes(chain, bottom.size)[asked] === size) return bottom.size;
  return roundUp(bottomFor(chain, asked, size), granularity);
}

function largestBottoms(chain: readonly ChainLayer[]): readonly Bytes[] {
  const known = chain.flatMap(({ limits: { largest } }, at) =>
    largest === undefined ? [] : [overheadTo(chain, at) + largest.size],
  );
  if (chain[0]?.limits.largest === undefined)
    throw new RefusedError(`${chain[0]?.title ?? ''} has no largest size`, { remedy: 'name a size' });
  return known;
}

/**
 * The size of the lowest layer at which that layer has at least this size, including all losses to
 * rounding.
 */
function bottomFor(chain: readonly ChainLayer[], at: number, size: Bytes): Bytes {
  let needed = size;
  for (let layer = at; layer >= 0; layer -= 1) {
    const limits = chain[layer]?.limits;
    if (limits === undefined) continue;
    needed = roundUp(needed, limits.granularity) + (layer === 0 ? 0 : limits.overhead);
  }
  return needed;
}

function overheadTo(chain: readonly ChainLayer[], at: number): Bytes {
  return chain.slice(1, at + 1).reduce((sum, { limits }) => sum + limits.overhead, 0);
}

function finalSizes(chain: readonly ChainLayer[], lowest: Bytes): readonly Bytes[] {
  const sizes: Bytes[] = [];
  const grows = lowest >= (chain[0]?.limits.size ?? 0);
  for (const { limits } of chain) {
    const beneath = sizes.at(-1);
    const room = beneath === undefined ? lowest : beneath - limits.overhead;
    const fitting =
      beneath === undefined ? lowest : Math.floor(room / limits.granularity) * limits.granularity;
    // A layer whose size is not a multiple, because another program created it, is not cut when all
    // others grow.
    sizes.push(grows ? Math.max(fitting, limits.size) : fitting);
  }
  return sizes;
}

function growing(now: readonly Bytes[], sizes: readonly Bytes[]): readonly ResizeStep[] {
  return sizes.flatMap((to, layer): readonly ResizeStep[] => {
    const from = now[layer] ?? to;
    return to > from ? [{ layer, from, to, direction: 'grow', fill: layer > 0 }] : [];
  });
}

function shrinking({ chain, margin }: ResizeRequest, sizes: readonly Bytes[]): readonly ResizeStep[] {
  const now = chain.map(({ limits }) => limits.size);
  const top = chain.length - 1;
  const steps: ResizeStep[] = [];
  for (let layer = top; layer >= 0; layer -= 1) {
    const limits = chain[layer]?.limits;
    const [from, target] = [now[layer], sizes[layer]];
    if (limits === undefined || from === undefined || target === undefined) continue;
    const to = layer === top && top > 0 ? withMargin(limits, target, margin) : target;
    if (to >= from) continue;
    steps.push({ layer, from, to, direction: 'shrink', fill: false });
    now[layer] = to;
  }
  return [...steps, ...growing(now, sizes).filter(({ layer }) => chain[layer]?.limits.grow.may === true)];
}

/**
 * The target minus the margin, but not below the minimum of the layer. No margin for a layer that cannot grow
 * again.
 */
function withMargin({ grow, smallest, granularity, size }: Limits, target: Bytes, margin: Bytes): Bytes {
  if (!grow.may || target >= size) return target;
  const wanted = target - roundUp(margin, granularity);
  return Math.min(target, Math.max(wanted, roundUp(smallest.size, granularity)));
}

/** Throws for a chain with inconsistent sizes, which bofh does not touch. */
function refuseMisfits(chain: readonly ChainLayer[]): void {
  const wrong = chain.flatMap(({ title, limits: { size, overhead } }, at) => {
    const beneath = chain[at - 1];
    if (beneath === undefined || size <= beneath.limits.size - overhead) return [];
    const needs = `${title} needs ${formatSize(size + overhead)}`;
    return [`${needs}, and ${beneath.title} has ${formatSize(beneath.limits.size)}`];
  });
  if (wrong.length > 0)
    throw new RefusedError(`the layers do not fit into each other: ${wrong.join('; ')}`, {
      remedy: 'see the sizes: bofh block tree',
    });
}

function refuseForbidden(chain: readonly ChainLayer[], steps: readonly ResizeStep[]): void {
  const reasons = steps.flatMap((step) => {
    const layer = chain[step.layer];
    return layer === undefined ? [] : forbidden(layer, step);
  });
  if (reasons.length === 0) return;
  const remedies = [...new Set(reasons.flatMap(({ remedy }) => (remedy === undefined ? [] : [remedy])))];
  const codes = new Set(reasons.map(({ code }) => code));
  throw new RefusedError([...new Set(reasons.map(({ why }) => why))].join('; '), {
    ...(remedies.length === 0 ? {} : { remedy: remedies.join('; ') }),
    ...present({ code: codes.size === 1 ? reasons[0]?.code : undefined }),
  });
}

function forbidden(
  { title, limits }: ChainLayer,
  { direction, from, to }: ResizeStep,
): readonly { readonly why: string; readonly remedy?: string; readonly code?: ErrorCode }[] {
  const { smallest, largest } = limits;
  const may = limits[direction];
  const verb = direction === 'grow' ? 'grown' : 'shrunk';
  const change = `${title} cannot be ${verb} from ${formatSize(from)} to ${formatSize(to)}`;
  if (!may.may) {
    const remedy = typeof may.remedy === 'function' ? may.remedy(to) : may.remedy;
    return [{ why: `${change}: ${may.why}`, ...present({ remedy }) }];
  }
  if (direction === 'shrink' && to < smallest.size)
    return [
      {
        why: `${change}: it needs ${formatSize(smallest.size)}, ${smallest.why}`,
        remedy: 'name a larger size, or min',
        code: 'invalid',
      },
    ];
  if (direction === 'grow' && largest !== undefined && to > largest.size)
    return [
      {
        why: `${change}: it can have at most ${formatSize(largest.size)}, ${largest.why}`,
        remedy: ['name a smaller size, or max', largest.remedy ?? []].flat().join('; or '),
        code: 'no-space',
      },
    ];
  return [];
}

function leastCommonMultiple(one: Bytes, other: Bytes): Bytes {
  let [a, b] = [one, other];
  while (b > 0) [a, b] = [b, a % b];
  const all = (one / a) * other;
  // If the granularities have a huge common multiple, rounds only to the larger one: layers above are rounded
  // down anyway.
  return Number.isSafeInteger(all) ? all : Math.max(one, other);
}

function roundUp(size: Bytes, granularity: Bytes): Bytes {
  return Math.ceil(size / granularity) * granularity;
}

/**
 * Rounds down to a multiple, but never below the current size: a layer that cannot follow is reported at its
 * step.
 */
function roundDown(size: Bytes, granularity: Bytes, now: Bytes): Bytes {
  return Math.max(size - (size % granularity), now);
}
