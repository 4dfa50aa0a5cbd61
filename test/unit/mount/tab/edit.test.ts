import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { removeCrypttab } from '../../../../src/mount/operations/crypttab.ts';
import { applyEdit, editAt, revertEdit, stateOf } from '../../../../src/mount/tab/edit.ts';
import { planEdit } from '../../../../src/mount/tab/table-undo.ts';

const table = '# head\na\nb\nc\n';
const adding = editAt(table, { index: 4, before: null, after: 'new' });
const taking = editAt(table, { index: 2, before: 'b', after: null });
const changing = editAt(table, { index: 2, before: 'b', after: 'B' });

describe('an edit of one line', () => {
  it.each([
    ['adds', adding, '# head\na\nb\nc\nnew\n'],
    ['takes out', taking, '# head\na\nc\n'],
    ['changes', changing, '# head\na\nB\nc\n'],
    [
      'adds in front of another',
      editAt(table, { index: 1, before: null, after: 'new' }),
      '# head\nnew\na\nb\nc\n',
    ],
  ])('%s it, and is undone byte for byte', (_, edit, after) => {
    expect(applyEdit(table, edit)).toBe(after);
    expect(stateOf(table, edit)).toBe('not made');
    expect(stateOf(after, edit)).toBe('made');
    expect(revertEdit(after, edit)).toBe(table);
  });

  it('keeps other bytes than UTF-8, odd line ends and blank lines of others', () => {
    const odd = '\xff\xfe /x\r\n\n\t \nlast without end';
    const edit = editAt(odd, { index: 4, before: null, after: 'ü /y' });
    const after = applyEdit(odd, edit);
    expect(after).toBe(`${odd}\n\xc3\xbc /y\n`);
    expect(revertEdit(after, edit)).toBe(`${odd}\n`);
    const change = editAt(odd, { index: 3, before: 'last without end', after: 'x' });
    expect(applyEdit(odd, change)).toBe('\xff\xfe /x\r\n\n\t \nx');
  });

  it('is refused without its line', () => {
    expect(() => applyEdit('# head\na\nx\nc\n', taking)).toThrow('not where the edit has it');
  });
});

describe('the undo after others edited the table', () => {
  it('removes only our line, at any position', () => {
    expect(revertEdit('x\nnew\n# head\nb\n', adding)).toBe('x\n# head\nb\n');
  });

  it.each([
    ['beneath its old neighbour', 'x\n# head\na\ny\nc\n', 'x\n# head\na\nb\ny\nc\n'],
    ['above the other one, when that is gone', 'x\n# head\nc\n', 'x\n# head\nb\nc\n'],
    ['above the other one, when that is there twice', 'a\na\nc\n', 'a\na\nb\nc\n'],
    ['where it was by number, when both are gone', '1\n2\n3\n4\n', '1\n2\nb\n3\n4\n'],
    ['at the end, when there are fewer', '1', '1\nb\n'],
    ['into an empty table', '', 'b\n'],
  ])('restores our line %s', (_, now, then) => {
    expect(revertEdit(now, taking)).toBe(then);
  });

  it('changes our line back, at any position', () => {
    expect(revertEdit('c\n\nB\nx\n', changing)).toBe('c\n\nb\nx\n');
  });

  it.each([
    ['an added line that is gone', adding, 'a\n', 'not made'],
    ['a line that was put back', taking, 'b\na\n', 'not made'],
    ['a changed line that is gone in both forms', changing, 'a\nbb\n', 'neither'],
    ['a changed line that is there in both', changing, 'B\nb\n', 'neither'],
    ['a changed line that was changed back', changing, 'b\n', 'not made'],
  ])('recognises %s', (_, edit, now, state) => {
    expect(stateOf(now, edit)).toBe(state);
  });
});

describe('the manual recovery of an edit', () => {
  const dir = mkdtempSync(join(tmpdir(), 'bofh-edit-'));
  afterAll(() => rmSync(dir, { recursive: true }));

  const line = String.raw`data /dev/a\040b none luks,x=&.*[$]^/`;
  it.each([
    ['the only line, which was removed', `${line}\n`, 0, line, null],
    ['the last line, which was removed', `# head\n${line}\n`, 1, line, null],
    ['a line, which was removed above a line without an end', `${line}\nb`, 0, line, null],
    ['a line, which was added', '# head\n', 1, null, line],
    ['a line, which was changed', `# head\n${line}\n`, 1, line, `${line},more`],
  ])('restores %s', (_, content, index, before, after) => {
    const file = join(dir, 'crypttab');
    const asked = { index, before, after, table: 'crypttab', about: 'data', mark: 'bofh.1' } as const;
    const undo = planEdit({ file, content }, asked);
    writeFileSync(file, applyEdit(content, undo.edit));

    const { clear = [] } = removeCrypttab.describe?.({ undo, way: 'back' }) ?? {};
    for (const [tool = '', ...argv] of clear) execFileSync(tool, argv);

    const sorted = (text: string): readonly string[] => text.trimEnd().split('\n').sort();
    expect(sorted(readFileSync(file, 'utf8'))).toEqual(sorted(content));
  });
});
