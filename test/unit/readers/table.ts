import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

/** An input in words, the input, and what it is read as, or why it is refused. */
export type Row<Input> = readonly [what: string, input: Input, expected: unknown];

/** The least number of inputs that a reader is given. */
const least = 50;

/**
 * A reader is given inputs: each is read as expected (an object: at least that), or refused with the words expected (a
 * regular expression). docs/tables/parsers.md says how many, and this holds it to that.
 */
export function readerTable<Input>(
  reader: string,
  read: (input: Input) => unknown,
  rows: readonly Row<Input>[],
): void {
  describe(reader, () => {
    it.each(rows.map(([what, input, expected]) => ({ what, input, expected })))(
      '$what',
      ({ input, expected }) => {
        if (expected instanceof RegExp) {
          expect(() => read(input)).toThrow(expected);
          return;
        }
        const found = read(input);
        if (typeof expected === 'object' && expected !== null) expect(found).toMatchObject(expected);
        else expect(found).toEqual(expected);
      },
    );

    it('has as many inputs as docs/tables/parsers.md says, all different', () => {
      const refused = rows.filter(([, , expected]) => expected instanceof RegExp).length;
      expect(rows.length).toBeGreaterThanOrEqual(least);
      expect(new Set(rows.map(([, input]) => JSON.stringify(input))).size).toBe(rows.length);
      const page = readFileSync(new URL('../../../docs/tables/parsers.md', import.meta.url), 'utf8');
      const said = page.split('\n').find((line) => line.startsWith(`| ${reader} | `));
      expect(said).toBe(`| ${reader} | ${rows.length} | ${rows.length - refused} | ${refused} |`);
    });
  });
}
