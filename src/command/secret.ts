/** `inspect.custom` of node:util, without its types. */
const inspected: unique symbol = Symbol.for('nodejs.util.inspect.custom');

/**
 * Key material: it cannot be converted to JSON or a string, and reaches a program only by stdin or
 * a descriptor.
 */
export class Secret {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array | string) {
    this.#bytes = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
  }

  /** Returns the bytes, only for the code that writes them to the descriptor of a program. */
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
