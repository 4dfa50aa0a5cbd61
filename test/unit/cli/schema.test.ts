import { readdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { give } from '../../../src/cli/output/answer.ts';
import { type AnswerName, answers } from '../../../src/cli/output/answers/by-verb.ts';
import { idOf, schemaUrl } from '../../../src/cli/output/schemas.ts';
import { type Noun, verb } from '../../../src/cli/runtime/verb.ts';
import { nouns } from '../../../src/cli/verbs/index.ts';
import { simulatedBofh, simulatedHost } from '../../../src/simulator/index.ts';
import { answerSchemas } from '../../support/api/answer-schemas.ts';
import { checkAnswer, checkPrinted, readSchema } from './support/answers.ts';
import { bofh } from './support/built.ts';
import { runVerb } from './support/run-verb.ts';
import { testRuntime } from './support/runtime.ts';

const names = Object.keys(answers) as AnswerName[];

/** What these print is not bofh's. */
const withoutJson = ['vm console', 'vm chroot', 'run', 'completion'];

async function declared(
  entries: Noun['verbs'] = nouns,
  path: readonly string[] = [],
): Promise<readonly (readonly [verb: string, answers: readonly string[]])[]> {
  const all = Object.entries(entries).map(async ([word, entry]) => {
    const words = [...path, word];
    if (!('length' in entry)) return declared(entry.verbs, words);
    return [[words.join(' '), (await entry[1]()).default.answers] as const];
  });
  return (await Promise.all(all)).flat();
}

const run = async (words: string, options: Parameters<typeof testRuntime>[1] = {}): Promise<string> => {
  const { runtime, stdout } = testRuntime(simulatedBofh({ host: simulatedHost() }), options);
  expect(await runVerb(runtime, words)).toBe(0);
  return stdout();
};

describe('the schemas of JSON answers', () => {
  it('exist for every verb, by its own name', async () => {
    const verbs = await declared();

    expect(verbs.filter(([, own]) => own.length === 0).map(([name]) => name)).toEqual(withoutJson);
    for (const [name, own] of verbs) expect(own.filter((each) => each.split(' --')[0] !== name)).toEqual([]);
    expect([...verbs.flatMap(([, own]) => own), 'plan', 'error'].sort()).toEqual(names.toSorted());
  });

  it('match the types and docstrings (npm run docs writes them)', () => {
    const made = answerSchemas();

    expect(made.size).toBe(names.length);
    for (const [path, text] of made) expect(readFileSync(path, 'utf8')).toBe(text);
    const folder = dirname(fileURLToPath(schemaUrl('plan')));
    expect(readdirSync(folder)).toHaveLength(names.length);
  });

  it.each(names)('%s: JSON Schema that accepts keys of later versions', (name) => {
    const schema = readSchema(name);

    expect(new Ajv2020({ allowUnionTypes: true }).validateSchema(schema)).toBe(true);
    expect(schema).toMatchObject({ $id: idOf(name), title: expect.any(String) as unknown });
    expect(JSON.stringify(schema)).not.toContain('"additionalProperties":false');
  });

  it('have the docstrings, of parts too', () => {
    expect(readSchema('vm create')).toMatchObject({
      description: '`bofh vm create NAME`',
      properties: {
        root: { description: 'Device of the root filesystem.' },
        disks: {
          items: { properties: { mount: { description: 'Its directory in the guest; null: not mounted.' } } },
        },
      },
    });
  });

  it('find missing, unknown and wrong keys in the answers of all tests', async () => {
    const answer = { name: 'web1', domid: 1 };

    expect(() => checkAnswer('xen start', answer)).not.toThrow();
    expect(() => checkAnswer('xen start', { ...answer, more: 1 })).toThrow(
      'must NOT have additional properties',
    );
    expect(() => checkAnswer('xen start', { name: 'web1' })).toThrow("must have required property 'domid'");
    expect(() => checkAnswer('xen start', { ...answer, domid: '1' })).toThrow('must be integer');
    const words = ['xen', 'start', 'web1', '--json'];
    await expect(checkPrinted(words, '{"name":"web1","domid":1}')).resolves.toBeUndefined();
    await expect(checkPrinted(words, '{"name":"web1"}')).rejects.toThrow('domid');
    await expect(checkPrinted(words, '{"error":{"class":"Error"}}')).rejects.toThrow('no answer of "error"');
    await expect(checkPrinted(['--dry-run', ...words], '{"name":"web1","domid":1}')).rejects.toThrow(
      '"plan"',
    );
    await expect(checkPrinted(['no', 'verb', '--json'], '{}')).rejects.toThrow('no answer of "error"');
  });

  it('are what the compiler checks the code of a verb against', () => {
    const checked = verb({
      changes: false,
      answers: 'xen start',
      examples: ['xen start web1'],
      run: async (runtime) => {
        // @ts-expect-error -- domid is missing
        give(runtime, { data: { name: 'web1' }, lines: [] });
        // @ts-expect-error -- the answer of another verb
        give(runtime, { data: { name: 'web1', changed: true }, lines: [] });
        give(runtime, { data: { name: 'web1', domid: 1 }, lines: [] });
        return 0;
      },
    });
    const without = verb({
      changes: false,
      examples: ['run x.ts'],
      run: async (runtime) => {
        // @ts-expect-error -- it has no answer in JSON
        give(runtime, { data: {}, lines: [] });
        return 0;
      },
    });

    expect([checked.answers, without.answers]).toEqual([['xen start'], []]);
  });
});

describe('bofh schema', () => {
  it('prints the schema of an answer, as text and as JSON', async () => {
    const text = await run('schema lvm list');

    expect(text).toBe(readFileSync(schemaUrl('lvm list'), 'utf8'));
    expect(JSON.parse(await run('schema lvm list', { json: true }))).toEqual(JSON.parse(text));
    expect(JSON.parse(await run('schema plan'))).toEqual(readSchema('plan'));
    expect(JSON.parse(await run('schema doctor --settings'))).toEqual(readSchema('doctor --settings'));
  });

  it('lists every answer', async () => {
    const list = JSON.parse(await run('schema', { json: true })) as readonly { readonly name: string }[];

    expect(list.map(({ name }) => name)).toEqual(names);
    expect(list[0]).toEqual({ name: 'xen list', format: 1, id: 'urn:bofh:xen-list:1' });
    expect(await run('schema', { format: 'answer' })).toContain('filesystem check --repair\n');
  });

  it.each([
    ['lvm lists', 'did you mean lvm list?'],
    ['btrfs send', 'btrfs send --to or btrfs send --to-file or btrfs send --to-device'],
    ['vm console', 'did you mean'],
    ['lvm', 'see them: bofh schema'],
  ])('refuses names without one, and suggests others: %s', async (words, remedy) => {
    await expect(run(`schema ${words}`)).rejects.toMatchObject({
      message: `there is no JSON answer "${words}"`,
      remedy: expect.stringContaining(remedy) as unknown,
    });
  });

  it('is in the package', async () => {
    const { exitCode, stdout } = await bofh(['schema', 'filesystem', 'check', '--repair']);

    expect(exitCode).toBe(0);
    expect(stdout).toBe(readFileSync(schemaUrl('filesystem check --repair'), 'utf8'));
  });
});
