import { present } from '../core/present.ts';
import type { KeyRef, ReadHost } from '../command/index.ts';
import type { Bytes } from '../core/units.ts';
import type { GraphDevice } from './graph.ts';
import type { Signature } from './schema.ts';

/**
 * The arguments of a layer's functions: a device, and its content. These functions, except `resize`,
 * change and open nothing.
 */
export interface LayerAt {
  readonly host: ReadHost;
  readonly device: GraphDevice;
  /** The content that blkid recognises; undefined: the device is blank, or was not probed. */
  readonly content: Signature | undefined;
  /** The devices directly above it. */
  readonly above: readonly GraphDevice[];
  /** Reads something about the whole host (a report of lvm) once, however many layers need it. */
  readonly once: <T>(what: string, ask: () => Promise<T>) => Promise<T>;
}

/** What `bofh block tree` shows about a layer. */
export interface LayerFacts {
  /**
   * Size of the layer itself: of a filesystem, of the space in a container. Undefined: unknown;
   * `unknown` gives the reason.
   */
  readonly size?: Bytes;
  /** Bytes of the device below that the layer itself uses, or leaves unused. */
  readonly overhead?: Bytes;
  /** Facts to show, in this order: `['free', '1 GiB']`. */
  readonly facts?: readonly (readonly [name: string, value: string])[];
  readonly unknown?: readonly string[];
}

/** Whether it is possible; if not, the reason and the remedy for the requested size. */
export type May =
  | { readonly may: true }
  | { readonly may: false; readonly why: string; readonly remedy?: string | ((to: Bytes) => string) };

/** The limits within which a layer can be resized now. */
export interface Limits {
  readonly size: Bytes;
  /** The layer can only have multiples of this size. */
  readonly granularity: Bytes;
  /** Minimal difference in size from the device below; 0 for a layer without one. */
  readonly overhead: Bytes;
  readonly smallest: { readonly size: Bytes; readonly why: string };
  /** Undefined: as large as the device below allows. */
  readonly largest?: { readonly size: Bytes; readonly why: string; readonly remedy?: string };
  /** Beyond this size its space is not guaranteed: it may grow, with a warning. */
  readonly backed?: { readonly size: Bytes; readonly why: string };
  readonly grow: May;
  readonly shrink: May;
  /** Whether its tool needs a key. */
  readonly needsKey?: boolean;
}

/** The target of a resize. */
export interface ResizeTo {
  readonly size: Bytes;
  readonly direction: 'grow' | 'shrink';
  /** Whether to fill the device below; `size` is the resulting size. */
  readonly fill: boolean;
  /** Only for a container, if the key is known. */
  readonly key?: KeyRef;
}

/** The result of a resize. */
export interface Resized {
  /** The size read afterwards; for a step that runs after the commit, the expected size. */
  readonly size: Bytes;
  /** Irreversible steps run after the commit. */
  readonly when: 'now' | 'after the commit';
}

/**
 * One type of layer. `device`: a device by its origin (a logical volume, a partition). `content`:
 * the content of a device, which may offer another device (LUKS) or be the top (a filesystem). `Tx`
 * is the part of `tx` that its resizing uses.
 */
export interface Layer<Tx = unknown> {
  /** Unique among all layers: `luks`. */
  readonly name: string;
  /**
   * `device`: recognised by its origin (a partition). `content`: recognised by the content of the
   * device (LUKS).
   */
  readonly of: 'device' | 'content';
  /** Compares kind and type exactly; never a part of a text. */
  readonly recognises: (at: Pick<LayerAt, 'device' | 'content'>) => boolean;
  /** Name of this layer in one to three words: `LUKS`, `LVM physical volume`. */
  readonly title?: (at: Pick<LayerAt, 'device' | 'content'>) => string;
  /** Returns what `bofh block tree` shows about the layer. */
  readonly tell: (at: LayerAt) => Promise<LayerFacts>;
  /**
   * Returns the device that it offers, on which the stack continues; `closed`: it must be opened
   * first.
   */
  readonly offers?: (at: LayerAt) => GraphDevice | 'closed';
  /**
   * Returns how to open a closed layer, as a sentence without its full stop: `open it: bofh crypt
   * open /dev/sda2`.
   */
  readonly toOpen?: (at: LayerAt) => string | Promise<string>;
  /** Returns the limits. Missing: bofh cannot resize it. RefusedError if the limits are unknown. */
  readonly limits?: (at: LayerAt) => Promise<Limits>;
  /** Runs one step of a sequence, undone with it. */
  readonly resize?: (tx: Tx, at: LayerAt, to: ResizeTo) => Promise<Resized>;
}

/** Returns the limits of a layer that keeps its size, whatever happens to the layers above. */
export function fixed(size: Bytes, why: string, remedy?: string): Limits {
  const no: May = { may: false, why, ...present({ remedy }) };
  return {
    ...{ size, granularity: 512, overhead: 0 },
    smallest: { size, why },
    largest: { size, why },
    ...{ grow: no, shrink: no },
  };
}
