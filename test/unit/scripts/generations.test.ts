import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { run } from '../cli/support/built.ts';

const root = join(import.meta.dirname, '../../..');

interface Note {
  readonly now: readonly string[];
  readonly previous: readonly string[];
}

/** A script of the build has no types. */
const { generations, parseNote } = (await import(join(root, 'scripts/lib/generations.mjs'))) as {
  readonly generations: (
    written: readonly string[],
    before: Note,
  ) => { readonly kept: readonly string[]; readonly note: Note };
  readonly parseNote: (text: string) => Note | undefined;
};

const nothing: Note = { now: [], previous: [] };

describe('the files of a build', () => {
  it('stay for one more build, and are removed by the next', () => {
    const first = generations(['bofh.cjs', 'a1'], nothing);
    const second = generations(['bofh.cjs', 'a2'], first.note);
    const third = generations(['bofh.cjs', 'a3'], second.note);

    expect(first.kept).toEqual(['a1', 'bofh.cjs']);
    expect(second.kept).toEqual(['a2', 'bofh.cjs', 'a1']);
    expect(third.kept).toEqual(['a3', 'bofh.cjs', 'a2']);
  });

  it('stay through builds that change nothing', () => {
    const { note } = generations(['a2'], generations(['a1'], nothing).note);

    expect(generations(['a2'], note)).toEqual({ kept: ['a2', 'a1'], note });
  });

  it.each(['', '[]', '{"now":1,"previous":[]}', '{"now":[1],"previous":[]}', 'null'])(
    'are not read from a note that says %s',
    (text) => expect(parseNote(text)).toBeUndefined(),
  );
});

describe('npm run build', () => {
  it('leaves the chunks of the build before it, which a running bofh may still load', async () => {
    const dist = mkdtempSync(join(tmpdir(), 'bofh-dist-'));
    const build = () => run(process.execPath, [join(root, 'scripts/build.mjs'), '--out', dist, '--no-types']);
    try {
      writeFileSync(join(dist, 'chunk-before-1.js'), '');
      writeFileSync(join(dist, 'litter'), '');
      await build();
      const afterFirst = readdirSync(dist);
      // As if the last build had been of other sources.
      const path = join(dist, 'generations.json');
      const note = parseNote(readFileSync(path, 'utf8')) ?? nothing;
      const [chunk = ''] = note.now.filter((name) => name.startsWith('chunk-'));
      copyFileSync(join(dist, chunk), join(dist, 'chunk-last-2.js'));
      writeFileSync(path, JSON.stringify({ ...note, now: [...note.now, 'chunk-last-2.js'] }));
      const { exitCode } = await build();

      expect(exitCode).toBe(0);
      expect(afterFirst).toContain('chunk-before-1.js');
      expect(afterFirst).not.toContain('litter');
      expect(existsSync(join(dist, 'chunk-last-2.js'))).toBe(true);
      expect(existsSync(join(dist, 'chunk-before-1.js'))).toBe(false);
    } finally {
      rmSync(dist, { recursive: true });
    }
  });
});
