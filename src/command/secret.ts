import { inspect } from 'node:util';

/** Key material: it has no JSON and no string form, and reaches a program by stdin or a descriptor only. */
export class Secret {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array | string) {
    this.#bytes = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
  }

  /** For the one place that writes it to a program's descriptor. */
  reveal(): Uint8Array {
    return this.#bytes;
  }

  toString(): string {
    return '[secret]';
  }

  toJSON(): never {
    throw new TypeError('a Secret must not be written as JSON: journal a KeyRef instead');
  }

  [inspect.custom](): string {
    return '[secret]';
  }
}

/** Where a key comes from; this, and never the key, is journalled. */
export type KeyRef =
  | { readonly from: 'site'; readonly name: string }
  | { readonly from: 'file'; readonly path: string }
  | { readonly from: 'command'; readonly argv: readonly string[] }
  | { readonly from: 'credential'; readonly name: string }
  | { readonly from: 'ask' };
