import type { Command } from 'commander';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { program } from '../../../src/cli/runtime/program.ts';

const { manPages, troff } = (await import(join(import.meta.dirname, '../../../scripts/lib/man.mjs'))) as {
  readonly manPages: (root: Command, version: string) => ReadonlyMap<string, string>;
  readonly troff: (text: string) => string;
};

let root: Command;
let pages: ReadonlyMap<string, string>;
beforeAll(async () => {
  root = await program('all', async () => Promise.resolve());
  pages = manPages(root, '1.2.3');
});

const verbsBelow = (command: Command): readonly Command[] => {
  const inner = command.commands.filter((each) => each.name() !== 'help');
  return inner.length === 0 ? [command] : inner.flatMap(verbsBelow);
};
const nounsOf = (): readonly Command[] => root.commands.filter((each) => each.name() !== 'help');

describe('the manual', () => {
  it('has a page for bofh and for each noun, which bofh(1) names', () => {
    const names = nounsOf().map((noun) => noun.name());

    expect([...pages.keys()]).toEqual(['bofh.1', ...names.map((name) => `bofh-${name}.1`)]);
    for (const name of names) expect(pages.get('bofh.1')).toContain(`.BR bofh\\-${troff(name)} (1)`);
    expect(pages.get('bofh.1')).toContain('.SH EXIT CODES');
    expect(pages.get('bofh.1')).toContain('130  interrupted and rolled back');
  });

  it('has every verb with each option that its help has, and its examples', () => {
    let options = 0;
    for (const noun of nounsOf())
      for (const verb of verbsBelow(noun)) {
        const page = pages.get(`bofh-${noun.name()}.1`) ?? '';
        const text = page.slice(page.indexOf(troff(verb.description())));
        expect(text).toContain('Examples:\n.RS\n.nf\nbofh ');
        for (const { flags } of verb.options.filter(({ hidden }) => !hidden)) {
          expect([flags, text.includes(`.B ${troff(flags)}\n`)]).toEqual([flags, true]);
          options += 1;
        }
      }
    expect(options).toBeGreaterThan(200);
  });

  it('has no text that troff would read as a request', () => {
    for (const page of pages.values())
      for (const line of page.split('\n'))
        expect(line).toMatch(/^(?:\.(?:TH|SH|SS|TP|BR?|PP|RS|RE|nf|fi|br)\b|[^.']|$)/);
    expect(troff(".x\n'y\\n --z")).toBe("\\&.x\n\\&'y\\en \\-\\-z");
  });
});
