import { expect, test } from 'vitest';
import { decode, encode, type Line } from '../../../src/atomic/lines.ts';
import { JournalError } from '../../../src/errors.ts';

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

test('what was written is read again', () => {
  expect(decode(bytes, 'x')).toMatchObject({ lines, length: bytes.length });
});

test('lines that are appended later go on with the checksum of the line before', () => {
  const first = encode(lines.slice(0, 1), 0);
  const rest = encode(lines.slice(1), first.crc);

  expect(Buffer.concat([first.bytes, rest.bytes])).toEqual(bytes);
});

test('cut at any byte, it is read up to the last whole line, or not at all', () => {
  const ends = [...bytes.keys()].filter((at) => bytes[at] === 0x0a).map((at) => at + 1);
  for (let cut = 0; cut < bytes.length; cut += 1) {
    const whole = ends.filter((end) => end <= cut).length;
    const read = (): unknown => decode(bytes.subarray(0, cut), 'x').lines;

    if (whole === 0) expect(read).toThrow(JournalError);
    else expect(read()).toEqual(lines.slice(0, whole));
  }
});

test('any byte that is changed in a whole line is an error that names it', () => {
  const last = bytes.lastIndexOf(0x0a);
  for (let at = 0; at < last; at += 1) {
    const changed = Buffer.from(bytes);
    changed.writeUInt8(changed.readUInt8(at) ^ 4, at);

    expect(() => decode(changed, 'x')).toThrow(/^x, line \d: .* nothing was touched$/);
  }
});

test('the error of a damaged line says how to look at the journal', () => {
  const changed = Buffer.from(bytes);
  changed.writeUInt8(changed.readUInt8(0) ^ 4, 0);

  expect(() => decode(changed, 'a1.journal')).toThrow(
    expect.objectContaining({ remedy: 'look at it with: bofh journal show a1' }),
  );
});

test('a line that is missing, and two in the wrong order, are errors', () => {
  const texts = bytes.toString().split(/(?<=\n)/);
  const [a = '', b = '', c = ''] = texts;

  expect(() => decode(Buffer.from(a + c), 'x')).toThrow(/line 2: its checksum is wrong/);
  expect(() => decode(Buffer.from(a + c + b), 'x')).toThrow(/line 2: its checksum is wrong/);
  expect(() => decode(Buffer.from(b + c), 'x')).toThrow(/line 1: its checksum is wrong/);
});

test('a kind of line, and a format, that is not known is an error', () => {
  const strange = { t: 'brewed', n: 1 } as unknown as Line;
  const newer = { ...begin, format: 2 } as unknown as Line;

  expect(() => decode(encode([begin, strange], 0).bytes, 'x')).toThrow(/line 2: "brewed" is no line/);
  expect(() => decode(encode([newer], 0).bytes, 'x')).toThrow(/format 2 is newer/);
  expect(() => decode(encode([{ t: 'committed' }], 0).bytes, 'x')).toThrow(/does not begin/);
});
