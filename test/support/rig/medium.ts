import { readSync } from 'node:fs';

const block = 4096;

/** What a disk holds: blocks in memory, and below them a raw file or another one of these, which are not written. */
export class Medium {
  readonly size: number;
  readonly #below: Medium | number;
  readonly #blocks = new Map<number, Buffer>();

  /** `below` is another medium of that size, or the descriptor of a file. */
  constructor(size: number, below: Medium | number) {
    this.size = size;
    this.#below = below;
  }

  read(at: number, length: number): Buffer {
    const out = Buffer.alloc(length);
    if (this.#below instanceof Medium) this.#below.read(at, length).copy(out);
    else readSync(this.#below, out, 0, length, at);
    for (let n = Math.floor(at / block); n * block < at + length; n += 1) {
      const own = this.#blocks.get(n);
      if (own === undefined) continue;
      const from = Math.max(at, n * block);
      const to = Math.min(at + length, (n + 1) * block);
      own.copy(out, from - at, from - n * block, to - n * block);
    }
    return out;
  }

  write(at: number, data: Buffer): void {
    for (let done = 0; done < data.length; ) {
      const n = Math.floor((at + done) / block);
      const within = at + done - n * block;
      const length = Math.min(block - within, data.length - done);
      const part = data.subarray(done, done + length);
      const whole = length === block ? Buffer.from(part) : this.read(n * block, block);
      if (length < block) part.copy(whole, within);
      this.#blocks.set(n, whole);
      done += length;
    }
  }

  zero(at: number, length: number): void {
    for (let done = 0; done < length; done += zeros.length)
      this.write(at + done, zeros.subarray(0, Math.min(zeros.length, length - done)));
  }
}

const zeros = Buffer.alloc(1 << 20);
