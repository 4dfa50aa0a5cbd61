import type { KeyRef, ReadHost } from '../command/index.ts';
import type { Bytes } from '../core/units.ts';
import type { GraphDevice } from './graph.ts';
import type { Signature } from './schema.ts';

/** What a layer is asked about: a device, and what lies on it. Asking changes and opens nothing. */
export interface LayerAt {
  readonly host: ReadHost;
  readonly device: GraphDevice;
  /** What blkid recognises on the device; undefined: it is blank, or was not asked for. */
  readonly content: Signature | undefined;
  /** The devices directly over it. */
  readonly above: readonly GraphDevice[];
  /** Asks something of the whole host (a report of lvm) once, however many layers want to know it. */
  readonly once: <T>(what: string, ask: () => Promise<T>) => Promise<T>;
}

/** What a layer tells of itself. */
export interface Told {
  /** Its own size: of a filesystem, of what a container has room for. Undefined: it cannot be told, and `untold` says why. */
  readonly size?: Bytes;
  /** Bytes of the device beneath that it keeps for itself, or leaves unused. */
  readonly overhead?: Bytes;
  /** For people, and in this order: `['free', '1 GiB']`. */
  readonly facts?: readonly (readonly [name: string, value: string])[];
  readonly untold?: readonly string[];
}

/** May it be done, and if not, why not and what helps. */
export type May =
  | { readonly may: true }
  | { readonly may: false; readonly why: string; readonly remedy?: string };

/** Within what limits a layer can be resized, as things are now. */
export interface Limits {
  readonly size: Bytes;
  /** Its sizes are multiples of it. */
  readonly granularity: Bytes;
  /** It has at least so much less than the device beneath; 0 for a layer that lies on none. */
  readonly overhead: Bytes;
  readonly smallest: { readonly size: Bytes; readonly why: string };
  /** Undefined: as large as the device beneath allows. */
  readonly largest?: { readonly size: Bytes; readonly why: string };
  /** Beyond this size it has no room of its own for sure: it may be made larger, and that is told. */
  readonly backed?: { readonly size: Bytes; readonly why: string };
  readonly grow: May;
  readonly shrink: May;
  /** Its tool wants to be shown a key. */
  readonly needsKey?: boolean;
}

/** What a layer is told to become. */
export interface ResizeTo {
  readonly size: Bytes;
  readonly direction: 'grow' | 'shrink';
  /** It is to take all that the device beneath it has; `size` is what that comes to. */
  readonly fill: boolean;
  /** Of a container, where it is known. */
  readonly key?: KeyRef;
}

/** What has become of it. */
export interface Resized {
  /** Looked up again afterwards; of what is still to be done, what it will be. */
  readonly size: Bytes;
  /** What has no inverse is done after the commit. */
  readonly when: 'now' | 'after the commit';
}

/**
 * One sort of layer. `device`: how a device was made (a logical volume, a partition). `content`: what lies on a device,
 * and may offer another one (LUKS) or be the end (a filesystem). `Tx` is the part of `tx` that its resizing uses.
 */
export interface Layer<Tx = unknown> {
  /** Unique among all layers: `luks`. */
  readonly name: string;
  readonly of: 'device' | 'content';
  /** By kind and type, exactly; never by a part of a text. */
  readonly recognises: (at: Pick<LayerAt, 'device' | 'content'>) => boolean;
  /** In two or three words for this one: `LUKS2`, `LVM physical volume`. */
  readonly title?: (at: Pick<LayerAt, 'device' | 'content'>) => string;
  readonly tell: (at: LayerAt) => Promise<Told>;
  /** The one device that it offers, on which the stack goes on; `closed`: it has to be opened first. */
  readonly offers?: (at: LayerAt) => GraphDevice | 'closed';
  /** What to do about one that is closed, as a sentence without its full stop: `open it: bofh crypt open /dev/sda2`. */
  readonly toOpen?: (at: LayerAt) => string | Promise<string>;
  /** Missing: bofh cannot resize it. Throws RefusedError when that cannot be told. */
  readonly limits?: (at: LayerAt) => Promise<Limits>;
  /** One step of a sequence, undone with it. */
  readonly resize?: (tx: Tx, at: LayerAt, to: ResizeTo) => Promise<Resized>;
}

/** The limits of what stays as large as it is, whatever happens to the layers over it. */
export function fixed(size: Bytes, why: string): Limits {
  const no: May = { may: false, why };
  return {
    ...{ size, granularity: 512, overhead: 0 },
    smallest: { size, why },
    largest: { size, why },
    ...{ grow: no, shrink: no },
  };
}
