import type { KeyRef, ReadHost } from '../command/index.ts';
import { BofhError, RefusedError } from '../core/errors.ts';
import { option } from '../core/option.ts';
import { newSwap } from '../filesystem/index.ts';
import type { Tx } from '../operations.ts';
import { type Bytes, formatSize } from '../core/units.ts';
import { type Chain, chainOf, type Link } from './chain.ts';
import { probed } from './content.ts';
import { planResize, type ResizePlan, type ResizeRequest, type ResizeStep } from './plan.ts';
import { present } from '../core/present.ts';

/** The request for a resize. */
export interface StackResize {
  readonly host: ReadHost;
  /** Any device of the stack. This device gets the new size. */
  readonly device: string;
  /** `fill`: every layer fills the current size of the lowest one. */
  readonly to: ResizeRequest['to'] | 'fill';
  /** `device`: the device alone, whatever its content. */
  readonly what: 'stack' | 'device';
  /** The key for containers of the stack that need one. */
  readonly key?: KeyRef;
}

/** The result for each layer, from the lowest up. */
export interface StackResized {
  readonly granularity: Bytes;
  readonly roundedFrom?: Bytes;
  readonly asked: number;
  /**
   * Warnings, in sentences: for example a thin volume that is larger than the free space of its
   * pool.
   */
  readonly warnings: readonly string[];
  readonly layers: readonly {
    readonly title: string;
    readonly path: string;
    readonly from: Bytes;
    readonly to: Bytes;
    /** `after the commit`: the resize is irreversible, so it runs last. */
    readonly when: 'unchanged' | 'now' | 'after the commit';
  }[];
}

/**
 * Bytes by which the uppermost layer is made smaller than needed while the layer below is cut: more than any
 * tool rounds.
 */
export const margin = 4 * 1024 ** 2;

/**
 * Brings a stack to a size, as steps of a sequence: all checks come before the first step, each
 * layer is verified after its step, and if one fails all of them are undone.
 */
export async function resizeStack(tx: Tx, request: StackResize): Promise<StackResized> {
  const { device, what } = request;
  const chain = await chainOf({ host: request.host, device, bare: what === 'device' });
  refuseClosed(chain);
  const { links, asked } = chain;
  const { to } = request;
  const plan = planResize({
    ...(to === 'fill' ? { asked: 0, to: { size: links[0]?.limits.size ?? 0 } } : { asked, to }),
    ...{ margin, chain: links.map(({ title, limits }) => ({ title, limits })) },
  });
  await refuseLoss(request, links, plan);
  refuseKeyless(request, links, plan.steps);
  const when = await act(tx, { request, links }, plan.steps);
  return {
    granularity: plan.granularity,
    ...present({ roundedFrom: plan.roundedFrom }),
    asked,
    warnings: warningsOf(links, plan),
    layers: links.map(({ title, at, limits }, layer) => {
      const done = when.get(layer);
      const from = limits.size;
      return { title, path: at.device.path, from, to: done?.size ?? from, when: done?.when ?? 'unchanged' };
    }),
  };
}

function warningsOf(links: readonly Link[], { steps, sizes }: ResizePlan): readonly string[] {
  return links.flatMap(({ title, limits: { backed } }, layer) => {
    const grows = steps.some((step) => step.layer === layer && step.direction === 'grow');
    const isBeyond = grows && backed !== undefined && (sizes[layer] ?? 0) > backed.size;
    return isBeyond ? [`${title}: ${backed.why}`] : [];
  });
}

/**
 * The container in a stack that must be opened to see the layers above, if there is one. Not part
 * of the sequence: its content must be reachable until the whole sequence is committed or undone.
 */
export async function closedIn({ host, device, what }: StackResize): Promise<string | undefined> {
  const { closed } = await chainOf({ host, device, bare: what === 'device' });
  return closed?.layer === 'luks' ? closed.device.path : undefined;
}

/** Throws for closed or unknown content, which is never resized. */
export function refuseClosed({ closed }: Pick<Chain, 'closed'>): void {
  if (closed === undefined) return;
  throw new RefusedError(`${closed.device.path} is closed: its content is unknown and cannot be resized`, {
    remedy: closed.remedy,
  });
}

/** Throws before the first step if a layer needs a key that the request does not have. */
export function refuseKeyless(
  { key }: StackResize,
  links: readonly Link[],
  steps: readonly ResizeStep[],
): void {
  const [needy] = steps.flatMap(({ layer }) =>
    links[layer]?.limits.needsKey === true ? [links[layer]] : [],
  );
  if (key !== undefined || needy === undefined) return;
  throw new RefusedError(`${needy.title} can be resized only with its key`, {
    remedy: `name the source of its key: ${option('--key file:/PATH', "key: { from: 'file', path: '/PATH' }")}`,
  });
}

/**
 * Refuses to shrink only the device, without the layers on it, unless it is known to be blank and
 * unused.
 */
async function refuseLoss(request: StackResize, links: readonly Link[], plan: ResizePlan): Promise<void> {
  const cuts = plan.steps.some(({ direction }) => direction === 'shrink');
  if (request.what === 'stack' || !cuts) return;
  const [bottom] = links;
  if (bottom === undefined) return;
  const found = await probed(request.host, bottom.at.device);
  if (found.state === 'probed' && found.content === undefined && bottom.at.above.length === 0) return;
  const type = found.state === 'probed' ? found.content?.type : undefined;
  const { device } = request;
  const above = bottom.at.above.map(({ path }) => path);
  const what = type ?? (above.length > 0 ? `carries ${above.join(', ')}` : 'cannot be examined');
  throw new RefusedError(
    `${device} ${type === undefined ? what : `holds ${type}`}: shrinking only the device would destroy it`,
    {
      remedy:
        type === 'swap'
          ? newSwap({ device, ...(found.state === 'probed' ? found.content : {}) })
          : `leave ${option('--bare', "what: 'device'")} out to resize its content too; or, if the content is not needed, wipe it: bofh block wipe ${device} --overwrite UUID`,
    },
  );
}

type Done = Awaited<ReturnType<NonNullable<Link['layer']['resize']>>>;

async function act(
  tx: Tx,
  of: { readonly request: StackResize; readonly links: readonly Link[] },
  steps: readonly ResizeStep[],
): Promise<ReadonlyMap<number, Done>> {
  const { links, request } = of;
  const { key } = request;
  const done = new Map<number, Done>();
  for (const step of steps) {
    const link = links[step.layer];
    if (link?.layer.resize === undefined)
      throw new RefusedError(`${link?.title ?? ''}: bofh knows its limits, but cannot resize it`, {
        remedy: 'add `resize` to its layer (block.registerLayer)',
      });
    const { direction, fill, to: size } = step;
    const known = present({ key });
    const after = await link.layer.resize(tx, link.at, { direction, fill, size, ...known });
    // A later step of the same layer replaces this entry: it grows the layer again, now or after the commit.
    done.set(step.layer, after);
    verify(link, step, after);
  }
  return done;
}

/**
 * Throws if a layer has another size than planned. A filesystem may leave out a rest that is too small for
 * it.
 */
function verify({ layer, title }: Link, { to }: ResizeStep, { size }: Done): void {
  const exact = layer.of === 'device' || layer.offers !== undefined;
  if (exact ? size === to : size <= to) return;
  throw new WrongSize(`${title} has ${formatSize(size)} after its step (${size} bytes), and not ${to} bytes`);
}

/** The error for a tool that exited 0 but set another size. */
class WrongSize extends BofhError {}
