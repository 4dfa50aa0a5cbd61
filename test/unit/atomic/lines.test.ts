import { crc32 } from 'node:zlib';
import { expect, test } from 'vitest';
import { decode, encode, type Line } from '../../../src/atomic/journal/lines.ts';
import { damagedEnd, letGo } from '../../../src/atomic/recovery/close-journal.ts';
import { JournalError } from '../../../src/core/errors.ts';
import { appendedApart } from '../cli/support/journals.ts';

const begin: Line = {
  t: 'begin',
  format: 1,
  id: 'a1',
  name: 'a disk for wéb1',
  argv: [],
  host: '',
  pid: 1,
  started: 2,
  boot: 'b',
  user: 'root',
  bofh: '0',
};
const lines: readonly Line[] = [begin, { t: 'rollback', because: 'no\nroom' }, { t: 'undone', n: 1 }];
const { bytes } = encode(lines, 0);

test('reads what was written', () => {
  expect(decode(bytes, 'x')).toMatchObject({ lines, length: bytes.length });
});

/** Each of the lines in an append of its own. */
const apart = appendedApart(lines);

test('appended lines continue the checksum of the line before', () => {
  expect(decode(apart, 'x')).toMatchObject({ lines, length: apart.length });
});

test('a journal that was cut at any byte is read up to the last complete line, or not at all', () => {
  const ends = [...bytes.keys()].filter((at) => bytes[at] === 0x0a).map((at) => at + 1);
  for (let cut = 0; cut < bytes.length; cut += 1) {
    const whole = ends.filter((end) => end <= cut).length;
    const read = (): unknown => decode(bytes.subarray(0, cut), 'x').lines;

    if (whole === 0) expect(read).toThrow(JournalError);
    else expect(read()).toEqual(lines.slice(0, whole));
  }
});

test('reports any changed byte in a complete line', () => {
  const last = bytes.lastIndexOf(0x0a);
  for (let at = 0; at < last; at += 1) {
    const changed = Buffer.from(bytes);
    changed.writeUInt8(changed.readUInt8(at) ^ 4, at);

    expect(() => decode(changed, 'x')).toThrow(/^x, line \d: .* nothing was touched$/);
  }
});

/** The bytes with one of a line changed. */
function spoiled(line: number): Buffer {
  const changed = Buffer.from(bytes);
  const at = line < 0 ? bytes.lastIndexOf(0x0a, bytes.length - 2) + 1 : 0;
  changed.writeUInt8(changed.readUInt8(at) ^ 4, at);
  return changed;
}

const remedyOf = (of: Buffer): unknown => {
  try {
    return decode(of, 'a1.journal');
  } catch (error) {
    return error instanceof JournalError ? error.remedy : error;
  }
};

test('says how to continue after a damaged line: only the last one can be cut off, never the first', () => {
  expect(remedyOf(spoiled(-1))).toMatch(
    /^to see what is damaged and cut it off: bofh recover --cut-last-line a1;/,
  );
  expect(remedyOf(spoiled(0))).toMatch(/^see what can be read: bofh journal show a1; undo that by hand/);
});

test('a damaged line that was synced before the last append cannot be cut off', () => {
  const changed = Buffer.from(apart);
  const second = apart.indexOf(0x0a) + 1;
  changed.fill(0, second + 12, second + 20);

  expect(remedyOf(changed)).toMatch(/^see what can be read: bofh journal show a1;/);
});

/** What a power cut may leave of an append that was not synced: zeros in place of what is not on the disk. */
function withHole(from: number, to: number): Buffer {
  return Buffer.from(bytes).fill(0, from, to);
}

test('zeros at the end, without the bytes of the file length, are a torn write', () => {
  const first = bytes.indexOf(0x0a) + 1;

  expect(decode(withHole(first, bytes.length), 'x')).toMatchObject({
    lines: lines.slice(0, 1),
    length: first,
  });
});

test('a hole before the end of the last line is an error, and that line can be cut off', () => {
  const last = bytes.lastIndexOf(0x0a, bytes.length - 2) + 1;

  expect(remedyOf(withHole(last, last + 20))).toMatch(
    /^to see what is damaged and cut it off: bofh recover --cut-last-line a1;/,
  );
});

test.each([
  [
    'of the start of the first line',
    (first: number, second: number) => [first, Math.min(first + 20, second)],
  ],
  [
    'of the end of one and the start of the next',
    (_first: number, second: number) => [second - 5, second + 12],
  ],
  ['of the first one whole', (first: number, second: number) => [first, second]],
])('a hole %s, of two lines that were appended at once, can be cut off', (_what, holeOf) => {
  const first = bytes.indexOf(0x0a) + 1;
  const second = bytes.indexOf(0x0a, first) + 1;
  const [from = 0, to = 0] = holeOf(first, second);

  expect(remedyOf(withHole(from, to))).toMatch(
    /^to see what is damaged and cut it off: bofh recover --cut-last-line a1;/,
  );
  expect(damagedEnd(withHole(from, to), 'a1').from).toBe(first);
});

test('cuts nothing off a file that does not begin a sequence', () => {
  const other = appendedApart([{ t: 'rollback', because: 'x' }, begin]);
  const changed = Buffer.from(other);
  changed.writeUInt8(changed.readUInt8(other.length - 5) ^ 4, other.length - 5);

  expect(() => damagedEnd(changed, 'a1')).toThrow(JournalError);
});

test('the only line of a journal cannot be cut off', () => {
  const only = Buffer.from(bytes.subarray(0, bytes.indexOf(0x0a) + 1));
  only.writeUInt8(only.readUInt8(0) ^ 4, 0);

  expect(remedyOf(only)).toMatch(/^see what can be read: bofh journal show a1;/);
});

test('does not cut off a last line of a newer bofh', () => {
  const { crc } = decode(bytes, 'x');
  const newer = encode([{ t: 'of-tomorrow' } as unknown as Line], crc).bytes;

  expect(remedyOf(Buffer.concat([bytes, newer]))).toBe('recover it with the version of bofh that wrote it');
});

test('reports a line with a correct checksum that is no JSON', () => {
  const body = '{"t":';
  const { crc } = decode(bytes, 'x');
  const line = `${crc32(body, crc).toString(16).padStart(8, '0')} ${body}\n`;

  expect(() => decode(Buffer.concat([bytes, Buffer.from(line)]), 'x')).toThrow(JournalError);
});

test('reports missing and reordered lines', () => {
  const texts = bytes.toString().split(/(?<=\n)/);
  const [a = '', b = '', c = ''] = texts;

  expect(() => decode(Buffer.from(a + c), 'x')).toThrow(/line 2: its checksum is wrong/);
  expect(() => decode(Buffer.from(a + c + b), 'x')).toThrow(/line 2: its checksum is wrong/);
  expect(() => decode(Buffer.from(b + c), 'x')).toThrow(/line 1: its checksum is wrong/);
});

test('reports an unknown kind of line, and an unknown format', () => {
  const strange = { t: 'brewed', n: 1 } as unknown as Line;
  const newer = { ...begin, format: 2 } as unknown as Line;

  expect(() => decode(encode([begin, strange], 0).bytes, 'x')).toThrow(/line 2: "brewed" is not a line/);
  expect(() => decode(encode([newer], 0).bytes, 'x')).toThrow(/format 2 is newer/);
  expect(() => decode(encode([{ t: 'committed' }], 0).bytes, 'x')).toThrow(/does not begin/);
});

test('an act that fails after its journal was left is no unhandled rejection', async () => {
  const closed: string[] = [];
  letGo(
    Promise.reject(new Error('it failed late')),
    { release: () => closed.push('locks') },
    { close: () => closed.push('journal') },
  );
  await new Promise((resolve) => setImmediate(resolve));
  expect(closed).toEqual(['locks', 'journal']);
});
