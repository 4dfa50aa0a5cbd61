import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { program } from '../../src/cli/runtime/program.ts';
import { RolledBackError } from '../../src/core/errors.ts';
import { lvs } from '../../src/lvm/report-commands.ts';
import { probe } from '../../src/blockdevice/index.ts';
import { blocks, pageOf, runScriptIn } from '../support/pages.ts';
import { scriptFaults } from '../support/api/script-faults.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../src/simulator/index.ts';

const root = join(import.meta.dirname, '../..');
const folder = join(root, '.cache/readme');
const note = '/run/bofh-note';

const readme = pageOf('README.md');

const examples = blocks(readme, 'ts');
/** The whole script of the page on the library comes after those of the README. */
const pairs = blocks(pageOf('docs/library.md'), 'ts').filter((text) => text.includes('withReverse'));
const fileOf = (number: number): string => join(folder, `example-${number}.ts`);

beforeAll(() => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [index, text] of [...examples, ...pairs].entries()) writeFileSync(fileOf(index + 1), text);
});

/** Runs an example on a simulated host, and gives what it printed. */
async function run(number: number, host: SimulatedHost, onPrint?: () => void): Promise<readonly string[]> {
  const how = onPrint === undefined ? {} : { onPrint };
  return (await runScriptIn(simulatedBofh({ host }), fileOf(number), how)).printed;
}

const myHost = (): SimulatedHost => simulatedHost({ volumeGroups: [{ name: 'my_vg', size: 1024 ** 3 }] });

describe('the TypeScript of the README', () => {
  test('is the four documented examples', () => {
    expect(examples).toHaveLength(4);
    expect(readme).toContain('compile and run the four examples above');
  });

  test('compiles, as strictly as our own', () => {
    expect(scriptFaults([...examples, ...pairs].map((_, index) => fileOf(index + 1)))).toBe('');
  });

  test('starts every guest that is not running, and no other', async () => {
    const host = simulatedHost();
    for (const name of ['db1', 'web1', 'web2'])
      host.admin.writeFile(`/etc/xen/${name}.cfg`, `name = '${name}'\nmemory = 128\nkernel = '/vmlinuz'\n`);
    const { uuid } = host.admin.startDomain({ name: 'db1' });

    await run(1, host);

    const running = host.world.domains.map(({ name, state }) => `${name} ${state}`);
    expect(running.sort()).toEqual(['db1 blocked', 'web1 blocked', 'web2 blocked']);
    expect(host.world.domains.find(({ name }) => name === 'db1')?.uuid).toBe(uuid);
  });

  test('makes a volume with a filesystem on it', async () => {
    const host = myHost();

    expect(await run(2, host)).toEqual(['/dev/my_vg/my_vm']);

    const volumes = await host.run(lvs());
    expect(volumes.map(({ fullName, size }) => [fullName, size])).toEqual([['my_vg/my_vm', 100 * 1024 ** 2]]);
    expect(await probe(host, '/dev/my_vg/my_vm')).toMatchObject({ type: 'ext4' });
  });

  test('leaves no volume when the filesystem cannot be made', async () => {
    const host = myHost();
    const before = host.snapshot();
    host.fault({ tool: 'mkfs.ext4', mode: 'acts then fails' });

    await expect(run(2, host)).rejects.toThrow(RolledBackError);
    expect(host.snapshot()).toBe(before);
  });

  test('writes a note by a function with its inverse', async () => {
    // The pair is the user's own code, so this one file is on the real disk.
    if (existsSync(note)) throw new Error(`${note} is there already; it is not ours to remove`);
    onTestFinished(() => rmSync(note, { force: true }));
    const host = simulatedHost();

    // Only root may write there: for everybody else the example fails, and is undone.
    if (process.getuid?.() === 0) {
      await run(3, host);
      expect(readFileSync(note, 'utf8')).toMatch(/^made by [0-9a-f-]{36}\n$/);
    } else {
      await expect(run(3, host)).rejects.toThrow(RolledBackError);
      expect(existsSync(note)).toBe(false);
    }
  });

  test('calls functions with their inverses, as the page on the library shows', async () => {
    const made = '/run/bofh-names';
    if (existsSync(made)) throw new Error(`${made} is there already; it is not ours to remove`);
    onTestFinished(() => rmSync(made, { recursive: true, force: true }));
    const host = simulatedHost();

    expect(pairs).toHaveLength(1);
    if (process.getuid?.() === 0) {
      await run(5, host);
      expect(readdirSync(made)).toEqual(['host']);
      // A second time the directory is there, and it is not of this sequence.
      await expect(run(5, host)).rejects.toThrow(RolledBackError);
      expect(readdirSync(made)).toEqual(['host']);
    } else {
      await expect(run(5, host)).rejects.toThrow(RolledBackError);
      expect(existsSync(made)).toBe(false);
    }
  });

  test('mounts for a block only', async () => {
    const host = myHost();
    for (const path of ['/media/tmp', '/media/tmp2']) host.admin.mkdir(path);
    await run(2, host);
    const before = host.world.mounts.map(({ path }) => path);
    let inside: readonly string[] = [];

    const printed = await run(4, host, () => {
      inside = host.world.mounts.map(({ source, path }) => `${source} on ${path}`);
    });

    expect(printed).toEqual(['mounted on /media/tmp']);
    expect(inside).toContain('/dev/dm-0 on /media/tmp');
    expect(host.world.mounts.map(({ path }) => path)).toEqual(before);
  });
});

/** The words of a command line: quotes and `…` as the pages use them. */
function wordsOf(line: string): readonly string[] {
  return [...line.matchAll(/"(?<quoted>[^"]*)"|'(?<single>[^']*)'|(?<bare>\S+)/g)].map(
    ({ groups }) => groups?.quoted ?? groups?.single ?? groups?.bare ?? '',
  );
}

/** Parses a command line of bofh, and gives noun and verb; its action is not run. */
async function verbOf(line: string): Promise<string> {
  const verbs: string[] = [];
  const words = wordsOf(line).slice(1);
  const commands = await program(words, async ({ verb }) => void verbs.push(verb));
  await commands.parseAsync([...words], { from: 'user' });
  return verbs.join();
}

/** Does the program have this noun, verb, and these options? Arguments may be left out, as sentences do. */
async function unknownWords(line: string): Promise<readonly string[]> {
  let command = await program('all', async () => undefined);
  return wordsOf(line)
    .slice(1)
    .filter((word) => {
      const inner = command.commands.find((each) => each.name() === word);
      if (inner !== undefined) {
        command = inner;
        return false;
      }
      if (word.startsWith('--')) return command.options.every(({ long }) => long !== word);
      // Of what takes no verb any other word is an argument; a noun must be followed by a verb.
      return command.commands.length > 0 && /^[a-z-]+$/.test(word);
    });
}

const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'examples/README.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

/** What is typed in a page's `console` blocks. */
const typed = (page: string): readonly string[] =>
  blocks(pageOf(page), 'console').flatMap((block) =>
    block
      .split('\n')
      .filter((line) => /^[#$] /.test(line))
      .flatMap((line) => line.slice(2).split(/ {3,}|; | && /))
      .map((command) => command.trim()),
  );
const shown = pages.flatMap((page) => typed(page).map((command) => [page, command] as const));
const bofhs = shown.filter(([, command]) => command.startsWith('bofh '));
const npms = shown.filter(([, command]) => /^npm (?:run|test)/.test(command));
const named = pages.flatMap((page) =>
  [...pageOf(page).matchAll(/`(?<command>bofh [^`]+)`/g)].map(
    ({ groups }) => [page, (groups?.command ?? '').replaceAll('\n', ' ')] as const,
  ),
);

describe('a command in a page', async () => {
  test('comes in several pages', async () => {
    expect(bofhs.filter(([page]) => page === 'README.md').length).toBeGreaterThan(3);
    expect(npms.filter(([page]) => page === 'README.md').length).toBeGreaterThan(2);
    expect(named.length).toBeGreaterThan(10);
  });

  test.each(bofhs)('%s: "%s" is valid as it stands', async (_page, command) => {
    expect(command).toContain(await verbOf(command));
  });

  test.each(named)('%s: "%s" has a noun, a verb and options that exist', async (_page, command) => {
    expect(await unknownWords(command)).toEqual([]);
  });

  test.each(npms)('%s: "%s" is a script of package.json', (_page, command) => {
    const { scripts } = JSON.parse(pageOf('package.json')) as { readonly scripts: Record<string, string> };
    const name = command.split(' ').filter((word) => word !== 'npm' && word !== 'run')[0] ?? '';
    expect(Object.keys(scripts)).toContain(name);
  });
});

// Links between pages and their anchors: test/unit/scripts/docs-site.test.ts.
describe('the links of a page', () => {
  test.each(pages)('%s: links and paths of this project exist', (page) => {
    const text = pageOf(page);
    const links = [...text.matchAll(/\]\((?<to>[^)#:]+)\)/g)].map(({ groups }) =>
      join(dirname(page), groups?.to ?? ''),
    );
    // DRIVER and TOOL stand for a name.
    const paths = [...text.matchAll(/`(?<to>(?:src|test|scripts|docs)\/[\w./-]+)`/g)]
      .map(({ groups }) => groups?.to ?? '')
      .filter((path) => !/DRIVER|TOOL/.test(path));
    expect([...links, ...paths].filter((to) => !existsSync(join(root, to)))).toEqual([]);
  });
});

describe('the package', () => {
  const { files, ...others } = JSON.parse(pageOf('package.json')) as { readonly files: readonly string[] };
  const isIn = (path: string): boolean =>
    ['README.md', 'package.json', 'LICENSE'].includes(path) ||
    files.some((name) => path === name || path.startsWith(`${name}/`));
  const inside = pages.filter(isIn);

  test('installs nothing else, because dist/ contains what bofh uses', () => {
    const kinds = ['dependencies', 'peerDependencies', 'optionalDependencies', 'bundleDependencies'];
    expect(kinds.filter((kind) => kind in others)).toEqual([]);
  });

  test('has the pages for authors of scripts', () => {
    expect(inside).toEqual(
      expect.arrayContaining([
        'docs/library.md',
        'docs/operations.md',
        'docs/reference.md',
        'docs/scripting.md',
        'examples/README.md',
      ]),
    );
  });

  test.each(inside)('contains what %s links to', (page) => {
    const links = [...pageOf(page).matchAll(/\]\((?<to>[^)]+)\)/g)].map(({ groups }) => groups?.to ?? '');
    const [own, foreign] = [
      links.filter((to) => !to.includes('://')),
      links.filter((to) => to.includes('://')),
    ];
    const paths = own.map((to) => (to.startsWith('#') ? page : join(dirname(page), to.replace(/#.*$/, ''))));
    expect(paths.filter((path) => !isIn(path))).toEqual([]);
    expect(foreign.filter((to) => !to.startsWith('https://standardschema.dev'))).toEqual([]);
  });
});
