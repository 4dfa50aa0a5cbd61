import { mkdtempSync, rmSync, writeFileSync, openSync, closeSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Recorder, readRecording, rebuild } from '../../support/cuts/recording.ts';
import { Medium } from '../../support/rig/medium.ts';
import { type Logged, ServedDisks } from '../../support/rig/served.ts';

const dir = mkdtempSync(join(tmpdir(), 'bofh-served-'));
afterAll(() => rmSync(dir, { recursive: true }));

const empty = (): Medium => new Medium(1 << 20, openSync('/dev/null', 'r'));
const [read, write, flush, discard, zero] = [0, 1, 3, 4, 6];

/** A request of the protocol. */
function request(command: number, at: number, what: Buffer | number = 0, flags = 0): Buffer {
  const data = typeof what === 'number' ? Buffer.alloc(0) : what;
  const head = Buffer.alloc(28);
  head.writeUInt32BE(0x25609513, 0);
  head.writeUInt16BE(flags, 4);
  head.writeUInt16BE(command, 6);
  head.writeBigUInt64BE(7n, 8);
  head.writeBigUInt64BE(BigInt(at), 16);
  head.writeUInt32BE(typeof what === 'number' ? what : what.length, 24);
  return Buffer.concat([head, data]);
}

/** Says what it is given, piece by piece; gives all that was answered, without the greeting. */
async function talk(path: string, pieces: readonly Buffer[], bytes: number): Promise<Buffer> {
  const socket = connect(path);
  const flags = Buffer.from([0, 0, 0, 3]);
  const go = Buffer.concat([
    Buffer.from('IHAVEOPT'),
    Buffer.from([0, 0, 0, 7, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0]),
  ]);
  for (const piece of [Buffer.concat([flags, go]), ...pieces]) socket.write(piece);
  // The greeting, two descriptions of the export, and the word that it may be used.
  const before = 18 + (20 + 12) + (20 + 14) + 20;
  const got: Buffer[] = [];
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    got.push(chunk);
    if (Buffer.concat(got).length >= before + bytes) break;
  }
  return Buffer.concat(got).subarray(before);
}

describe('disks that are served', () => {
  it('contain written data, and log every request in one order', async () => {
    const log: Logged[] = [];
    const disks = new ServedDisks([empty(), empty()], (one) => log.push(one));
    const [first, second] = await disks.serve(dir);
    const data = Buffer.alloc(1024, 'x');
    const answers = await talk(
      first?.path ?? '',
      [request(write, 512, data), request(flush, 0), request(read, 256, 512)],
      16 * 3 + 512,
    );
    await talk(
      second?.path ?? '',
      [request(write, 0, data, 1), request(zero, 0, 512), request(discard, 512, 512)],
      16 * 3,
    );
    await Promise.all([first?.close(), second?.close()]);

    expect(answers.subarray(48).toString()).toBe('\0'.repeat(256) + 'x'.repeat(256));
    expect(log.map(({ disk, what, at, fua }) => ({ disk, what, at, fua }))).toEqual([
      { disk: 0, what: 'write', at: 512, fua: false },
      { disk: 0, what: 'flush', at: 0, fua: false },
      { disk: 1, what: 'write', at: 0, fua: true },
      { disk: 1, what: 'zero', at: 0, fua: false },
      { disk: 1, what: 'discard', at: 512, fua: false },
    ]);
    const order = log.flatMap(({ sent, done }) => [sent, done]);
    expect([...order].sort((a, b) => a - b)).toEqual(order.map((_, n) => n + 1));
    expect(disks.media[1]?.read(0, 1024).toString()).toBe('\0'.repeat(512) + 'x'.repeat(512));
  });

  it('answer concurrent requests only after all were received', async () => {
    const log: Logged[] = [];
    const disks = new ServedDisks([empty()], (one) => log.push(one));
    const [only] = await disks.serve(dir);
    await talk(
      only?.path ?? '',
      [Buffer.concat([request(write, 0, Buffer.alloc(512)), request(flush, 0)])],
      32,
    );
    await only?.close();

    const [written, flushed] = log;
    expect(written?.done).toBeGreaterThan(flushed?.sent ?? Number.POSITIVE_INFINITY);
  });
});

describe('a recording', () => {
  it('is read again with its initial content', () => {
    const folder = join(dir, 'one');
    const recorder = new Recorder(folder);
    const one = { disk: 0, fua: false, what: 'write' as const };
    recorder.log({ ...one, at: 0, length: 512, sent: 1, done: 2, data: Buffer.alloc(512, 'a') });
    recorder.log({ ...one, at: 512, length: 512, sent: 3, done: 4, data: Buffer.alloc(512, 'b') });
    recorder.log({ ...one, what: 'flush', at: 0, length: 0, sent: 5, done: 6 });
    recorder.log({ ...one, what: 'zero', at: 512, length: 512, sent: 7, done: 8 });
    recorder.keep(folder, { of: 'a test' });
    const recording = readRecording<{ of: string }>(folder);
    if (recording === undefined) throw new Error('it was kept');
    const holds = (at: number): string => {
      const below = new Medium(2048, empty());
      below.write(1024, Buffer.alloc(512, 'z'));
      const { media } = rebuild(recording, [below], { cut: { at, kept: 0, torn: 0 }, draw: () => 0 });
      return media[0]?.read(0, 2048).toString().replaceAll('\0', '') ?? '';
    };

    expect(recording.facts).toEqual({ of: 'a test' });
    expect(holds(5)).toBe('z'.repeat(512));
    expect(holds(8)).toBe('a'.repeat(512) + 'b'.repeat(512) + 'z'.repeat(512));
  });

  it('reads unwritten blocks from the file below', () => {
    const path = join(dir, 'below');
    writeFileSync(path, 'base'.repeat(2048));
    const fd = openSync(path, 'r');
    const medium = new Medium(16384, fd);
    medium.write(4094, Buffer.from('over'));

    expect(medium.read(4090, 12).toString()).toBe('seba' + 'over' + 'seba');
    closeSync(fd);
  });
});
