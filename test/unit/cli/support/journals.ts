import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encode, type IntentLine, type Line } from '../../../../src/atomic/journal/lines.ts';

const owner = { pid: 2 ** 22 + 1, started: 1, boot: 'an-earlier-boot', user: 'root', bofh: '0.1.0' };

/** The first line of a journal whose process is gone. */
export function begin(id: string, name: string): Line {
  return { t: 'begin', format: 1, id, name, argv: ['bofh', 'run', 'x.ts'], host: '', ...owner };
}

/** A step that cannot be undone: its inverse was code. */
export function bare(n: number): IntentLine {
  const of = { kind: 'bare', version: 1, args: null, undo: null, host: '', claims: null };
  return { t: 'intent', n, ...of, lives: 'disk', after: false, boot: owner.boot };
}

/** The bytes of lines that were appended one by one. */
export function appendedApart(lines: readonly Line[]): Buffer {
  const parts: Uint8Array[] = [];
  let crc = 0;
  for (const line of lines) {
    const next = encode([line], crc);
    parts.push(next.bytes);
    crc = next.crc;
  }
  return Buffer.concat(parts);
}

/** Lays a journal into a state directory; `history` is where closed ones are. */
export function layJournal(
  stateDir: string,
  id: string,
  lines: readonly Line[],
  folder: 'open' | 'history' = 'open',
): string {
  const directory = join(stateDir, 'journal', folder === 'history' ? 'history' : '');
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, `${id}.journal`);
  writeFileSync(path, appendedApart(lines), { mode: 0o600 });
  return path;
}
