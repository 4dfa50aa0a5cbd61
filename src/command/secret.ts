/** `inspect.custom` of node:util, without its types. */
const inspected: unique symbol = Symbol.for('nodejs.util.inspect.custom');

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

  [inspected](): string {
    return '[secret]';
  }
}
