import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { Medium } from '../rig/medium.ts';
import type { Logged } from '../rig/served.ts';
import type { Draw } from './draw.ts';
import { type Cut, effectsOf, type Figures, type Range, type Request } from './model.ts';

/** A request in a recording: its data are at `from` in the file of data. */
export interface Recorded extends Request {
  readonly from: number;
}

/** All that a machine wrote to its disks from one moment to another. */
export interface Recording<Facts> {
  readonly facts: Facts;
  readonly requests: readonly Recorded[];
  readonly data: string;
}

/** Writes a recording while it is made. */
export class Recorder {
  readonly #dir: string;
  readonly #data: number;
  readonly #requests: Recorded[] = [];
  #length = 0;

  constructor(dir: string) {
    this.#dir = `${dir}.partial`;
    rmSync(this.#dir, { recursive: true, force: true });
    mkdirSync(this.#dir, { recursive: true });
    this.#data = openSync(join(this.#dir, 'data'), 'w');
  }

  readonly log = ({ data, ...request }: Logged): void => {
    this.#requests.push({ ...request, from: this.#length });
    if (data !== undefined) this.#length += writeSync(this.#data, data);
  };

  /** Whole from now on, or not there. */
  keep(dir: string, facts: unknown): void {
    closeSync(this.#data);
    writeFileSync(join(this.#dir, 'log.json'), JSON.stringify({ facts, requests: this.#requests }));
    rmSync(dir, { recursive: true, force: true });
    renameSync(this.#dir, dir);
  }
}

/** A recording that was kept; undefined when there is none. */
export function readRecording<Facts>(dir: string): Recording<Facts> | undefined {
  const path = join(dir, 'log.json');
  if (!existsSync(path)) return undefined;
  const { facts, requests } = JSON.parse(readFileSync(path, 'utf8')) as Omit<Recording<Facts>, 'data'>;
  return { facts, requests, data: join(dir, 'data') };
}

/** The disks as a cut may leave them, above what they held before the recording. */
export function rebuild(
  recording: Pick<Recording<unknown>, 'requests' | 'data'>,
  below: readonly Medium[],
  { cut, ...how }: { readonly cut: Cut; readonly draw: Draw; readonly whole?: readonly Range[] },
): { readonly media: readonly Medium[]; readonly figures: Figures } {
  const media = below.map((medium) => new Medium(medium.size, medium));
  const { effects, figures } = effectsOf(recording.requests, cut, how);
  const data = openSync(recording.data, 'r');
  try {
    for (const { request, parts, as } of effects)
      for (const { from, to } of parts) {
        const medium = media[request.disk];
        const at = request.at + from;
        if (request.what === 'zero' || as === 'zeros') medium?.zero(at, to - from);
        else if (as === 'garbage') garble(medium, { at, length: to - from, draw: how.draw });
        else if (request.what === 'write') {
          const part = Buffer.alloc(to - from);
          readSync(data, part, 0, part.length, request.from + from);
          medium?.write(at, part);
        }
      }
  } finally {
    closeSync(data);
  }
  return { media, figures };
}

const garbled = 4 << 20;

/** Both ends of a long range, which are what is compared. */
function garble(
  medium: Medium | undefined,
  { at, length, draw }: { readonly at: number; readonly length: number; readonly draw: Draw },
): void {
  const ranges =
    length <= 2 * garbled
      ? [[at, length]]
      : [
          [at, garbled],
          [at + length - garbled, garbled],
        ];
  for (const [from = 0, size = 0] of ranges) {
    const noise = Buffer.alloc(size);
    for (let n = 0; n + 4 <= size; n += 4) noise.writeUInt32LE((draw() * 2 ** 32) >>> 0, n);
    medium?.write(from, noise);
  }
}
