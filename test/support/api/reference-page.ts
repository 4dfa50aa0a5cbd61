import { readFileSync } from 'node:fs';
import { errorCodes } from '../../../src/core/errors.ts';
import { loadOperations } from '../../../src/operations.ts';
import { reader, type Found } from './errors.ts';
import { type Callable, type Option, publishedApi } from './published.ts';

/** Where the page is. */
export const referencePath: URL = new URL('../../../docs/reference.md', import.meta.url);

const operationsPath = new URL('../../../docs/operations.md', import.meta.url);

/** Every method can throw these, so no table has them; those of sequences only what changes the host. */
const common = ['invalid', 'denied', 'not-understood', 'refused', 'timeout', 'tool-failed', 'tool-missing'];
const ofSequences = ['busy', 'ended', 'interrupted', 'journal', 'rolled-back', 'stuck', 'unfinished'];

const inCode = (codes: readonly string[]): string => codes.map((code) => `\`${code}\``).join(', ');

const head = `# Reference

Every function of the library and every method of \`tx\`. \`npm run docs\` writes this page from the types and docstrings, which your editor
shows too. The guide is [scripting](scripting.md); the codes of errors, \`ensure\`, events and the context are explained in [the library](library.md).

- Sizes are numbers of bytes; in a request also text with a unit: \`10g\`. Times are milliseconds. Paths are absolute.
- A function that changes the host runs as a separate sequence. Inside \`atomic()\` call the method of \`tx\`.
- \`tx.temporary.…\` takes the same arguments, and is undone at the end of the sequence, or by \`release()\`. A permanent step must not write through it.
- \`tx.ensure.…\` and \`ensure.…\` return \`{ value, changed }\`, and throw \`differs\`.
- **Errors** lists the codes that the checks of this method can throw; a program finds them in the code, so some are rare. Every method can throw
  ${inCode(common)}, and with another host \`unreachable\`.
  A method that changes the host can also throw ${inCode(ofSequences)}.
- **one of \`a\`, \`b\`**: give exactly one of them. **required in \`a\`**: required if you give \`a\`.
- **Undo** lists the programs that undo it, and what they restore: *state*, exactly the former state; *existence*, the object, but not all of its state.
`;

/** The page of all methods, from the types, the docstrings and the code. */
export async function referencePage(): Promise<string> {
  const api = publishedApi();
  const operations = new Map(
    api.callables.flatMap(({ name, symbol }) =>
      /^tx\.(?!temporary|ensure)\w+\.\w+$/.test(name) ? [[name.slice(3), symbol] as const] : [],
    ),
  );
  const read = reader(api.checker, operations);
  const undoOf = await undos();
  const byName = new Map(api.callables.map((each) => [each.name, each]));
  const printed = new Map<string, string>();
  const isFunction = ({ symbol }: Callable): boolean =>
    api.checker.getTypeOfSymbol(symbol).getCallSignatures().length > 0;
  const isGroup = ({ name }: Callable): boolean =>
    api.callables.some((each) => each.name.startsWith(`${name}.`));

  const method = (name: string): readonly string[] => {
    const [own, onTx, ensured] = [name, `tx.${name}`, `tx.ensure.${name}`].map((each) => byName.get(each));
    const shown = own ?? onTx;
    if (shown === undefined) throw new Error(`there is no ${name}`);
    const inSequence = [onTx, byName.get(`tx.temporary.${name}`), ensured].flatMap((each) =>
      each === undefined ? [] : [`\`${each.name}\``],
    );
    const found = read(shown.symbol);
    const texts = textsOf(own, onTx);
    const alone = (each: Callable | undefined): string =>
      each === undefined ? '' : tableOf(each, new Map(printed)).join('\n');
    const differs = own !== undefined && alone(onTx) !== '' && alone(onTx) !== alone(own);
    const first = tableOf(shown, printed);
    const second = differs && onTx !== undefined ? tableOf(onTx, printed) : [];
    return [
      `### ${shown.name}`,
      '',
      callOf(shown),
      '',
      ...texts.flatMap((text) => [text, '']),
      ...first,
      ...(second.length === 0 ? [] : [`On \`tx\`:`, '', ...second]),
      ...facts(found, {
        inSequence: own === undefined ? [] : inSequence,
        undo: undoOf.get(name),
      }),
      '',
    ];
  };

  const section = (each: Callable): readonly string[] => [
    `### ${each.name}`,
    '',
    ...(isFunction(each) ? [callOf(each), ''] : []),
    ...wholeText(each).flatMap((text) => [text, '']),
    ...tableOf(each, printed),
  ];

  const plain = api.callables.filter(
    (each) => each.from === 'bofh' && isFunction(each) && !each.name.includes('.'),
  );
  const groups = [
    ...new Set(
      api.callables.flatMap(({ name, from }) =>
        from === 'bofh/testing'
          ? []
          : (/^(?:tx\.)?(?!tx|temporary|ensure)(?<group>\w+)\.\w+$/.exec(name)?.groups?.group ?? []),
      ),
    ),
  ].sort();
  const sections = groups.flatMap((group) => {
    const names = [
      ...new Set(
        api.callables
          .filter(
            ({ from, ...each }) =>
              from !== 'bofh/testing' &&
              isFunction({ from, ...each }) &&
              each.name.replace(/^tx\./, '').startsWith(`${group}.`),
          )
          .map(({ name }) => name.replace(/^tx\./, ''))
          .filter((name) => name.split('.').length === 2),
      ),
    ].sort();
    const about = group === 'host' ? aboutHost : byName.get(`tx.${group}`)?.text;
    return names.length === 0
      ? []
      : [`## ${group}`, '', ...(about === undefined ? [] : [about, '']), ...names.flatMap(method)];
  });
  const others = (from: string): readonly string[] =>
    api.callables
      .filter((each) => each.from === from && isFunction(each) && !each.name.includes('.'))
      .flatMap((each) => [
        `### ${each.name}`,
        '',
        callOf(each),
        '',
        ...[...wholeText(each), ''],
        ...tableOf(each, printed),
      ]);
  const methodsOf = (handle: string, shown: string): readonly string[] => [
    '| member | |',
    '|---|---|',
    ...api.callables
      .filter(({ from, name }) => from === 'bofh/testing' && name.startsWith(`${handle}.`))
      .map((each) => {
        const name = each.name.replace(handle, shown);
        const call = isFunction(each) ? `${name}(${each.parameters.map(inBrief).join(', ')})` : name;
        return `| \`${cell(call)}\` | ${cell(each.text)} |`;
      }),
    '',
  ];
  const fault = byName.get('simulated.fault');
  const handle = api.callables.filter((each) => /^tx\.\w+$/.test(each.name) && !isGroup(each));
  const classes = api.callables.filter(
    (each) => !isFunction(each) && !isGroup(each) && /^[A-Z]/.test(each.name),
  );
  return [
    head,
    '## At the top level',
    '',
    ...plain
      .map(({ name }) => name)
      .sort()
      .flatMap(method),
    '## tx',
    '',
    ...handle.flatMap(section),
    ...sections,
    '## bofh/testing',
    '',
    ...others('bofh/testing'),
    '### A simulated host',
    '',
    '`host` is what `simulatedHost()` returns.',
    '',
    ...methodsOf('simulated', 'host'),
    'Each object for `host.fault`:',
    '',
    ...(fault === undefined ? [] : tableOf(fault, printed)),
    '### Its administrator',
    '',
    'Each act happens at once, is on disk, and belongs to no sequence. If an object that it needs is missing, it throws `TypeError`.',
    '',
    ...methodsOf('admin', 'host.admin'),
    '### The other host of a pair',
    '',
    '`there` is that of `simulatedPair()`.',
    '',
    ...methodsOf('peer', 'there'),
    '## bofh/atomic',
    '',
    'The engine alone, for other tools than ours. It also has `operation` and `deferred`, as above.',
    '',
    ...others('bofh/atomic'),
    '## Classes',
    '',
    '| class | |',
    '|---|---|',
    ...classes.map(({ name, text }) => `| \`${name}\` | ${cell(text)} |`),
    '',
  ]
    .join('\n')
    .replaceAll(/\n{3,}/g, '\n\n');
}

/** What the function says, then what only the method of `tx` says. */
function textsOf(own: Callable | undefined, onTx: Callable | undefined): readonly string[] {
  const alone = wholeText(own);
  const more = wholeText(onTx).filter((each) => !alone.includes(each));
  if (own === undefined || more.length === 0) return [...alone, ...more];
  const [head = '', ...rest] = more;
  const plain = head.replace(/^`tx\.[\w.]+`: (?<first>.)/, (_, first: string) => first.toUpperCase());
  return [...alone, `In a sequence: ${plain}`, ...rest];
}

/** Its docstring, with what it takes and returns. */
function wholeText(of: Callable | undefined): readonly string[] {
  return of === undefined ? [] : [...paragraphs(of.text), ...of.notes.flatMap(paragraphs)];
}

function paragraphs(text: string): readonly string[] {
  return text === '' ? [] : text.split(/\n\s*\n/).map((each) => each.replaceAll(/\s*\n\s*/g, ' '));
}

/** Everything between bars of a table. */
function cell(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, ' ').replaceAll('|', '\\|');
}

/** A type is within backticks, where a bar is escaped too. */
const aboutHost =
  'What the functions of an own operation get: `run`, `revert`, `afterCommit` and others all of it (`ChangeHost`), `prepare` and `look` only what reads: `facts`, `readDir`, `readFile`, `readLink`, `run` of a command that reads, and `stat` (`ReadHost`).';

const typeCell = (type: string): string => {
  const short = type.replace(
    /(?:"[^"]+" \| ){20,}"[^"]+"/,
    (names) => `one of ${String(names.split(' | ').length)} names`,
  );
  return `\`${cell(short)}\``;
};

/** The rows of what a function takes. What was printed before, and is long, is only referred to. */
function tableOf({ name, parameters }: Callable, printed: Map<string, string>): readonly string[] {
  const rows = parameters.flatMap(({ options }) => rowsOf(merged(options), '', { name, printed }));
  if (rows.length === 0) return [];
  return ['| argument | type | |', '|---|---|---|', ...rows, ''];
}

/** A parameter with the names of what is in it: `{ vg, name, tags? }`. */
function inBrief({ name, type, optional, options }: Callable['parameters'][number]): string {
  // A word, or an object: its name says more.
  if (options.length === 0 || type === 'Keep') return `${name}${optional ? '?' : ''}: ${type}`;
  const names = merged(options).map((each) => `${each.name}${each.optional ? '?' : ''}`);
  const one = `{ ${names.join(', ')} }`;
  const object = type.endsWith('[]') ? `[${one}]` : one;
  return optional ? `${name}?: ${object}` : object;
}

interface Merged extends Omit<Option, 'options' | 'part'> {
  readonly options: readonly Option[];
  /** Whether it must be given, or when. */
  readonly needed: string;
}

/** Of a union the parts have options of one name: one row has all of their types. */
function merged(options: readonly Option[]): readonly Merged[] {
  const byName = new Map<string, Omit<Merged, 'needed'>>();
  for (const { part: _, ...option } of options) {
    const known = byName.get(option.name);
    const either = (a: string, b: string, between: string): string =>
      a === b || a.split(between).includes(b) ? a : `${a}${between}${b}`;
    byName.set(
      option.name,
      known === undefined
        ? option
        : {
            ...known,
            optional: known.optional && option.optional,
            type: either(known.type, option.type, ' | '),
            text: either(known.text, option.text, ' Or: '),
            options: [...known.options, ...option.options],
          },
    );
  }
  return [...byName.values()]
    .map((each) => ({ ...each, needed: neededOf(options, each.name) }))
    .toSorted((a, b) => Number(a.optional) - Number(b.optional));
}

/** `required`; or, for what only some parts of a union have, which of them need it. */
function neededOf(options: readonly Option[], name: string): string {
  const own = options.filter((each) => each.name === name);
  const needing = own.filter(({ optional }) => !optional);
  const count = Math.max(...options.map(({ part }) => part?.count ?? 1));
  const isPartial = (each: string): boolean =>
    new Set(options.filter((option) => option.name === each).map(({ part }) => part?.index)).size < count;
  if (needing.length === 0) return '';
  if (!isPartial(name)) return needing.length === own.length ? 'required' : '';
  const told = needing.flatMap(({ part }) => part?.told ?? []);
  if (told.length > 0) return `required with ${told.map((each) => `\`${each}\``).join(' or ')}`;
  const ways = Array.from({ length: count }, (_, index) =>
    options.filter((each) => each.part?.index === index && !each.optional && isPartial(each.name)),
  );
  if (ways.some((way) => way.length === 0)) return '';
  const words = ways.map((way) => way.map((each) => `\`${each.name}\``).join(' with '));
  return `one of ${[...new Set(words)].join(', ')}`;
}

function rowsOf(
  options: readonly Merged[],
  before: string,
  page: {
    readonly name: string;
    readonly printed: Map<string, string>;
    readonly inOptional?: boolean;
  },
): readonly string[] {
  return options.flatMap(({ name, type, optional, needed, text, isText, options: inner }) => {
    const path = `${before}${name}`;
    const places = inner.map(({ at }) => at).join(' ');
    const where = inner.length > 3 ? page.printed.get(places) : undefined;
    if (where === undefined) page.printed.set(places, `${page.name}.${path}`);
    const object = type.endsWith('[]') ? 'list of objects' : isText ? 'text or object' : 'object';
    const shown = inner.length === 0 ? typeCell(type) : object;
    const within = page.inOptional === true ? ` in \`${before.slice(0, -1)}\`` : '';
    const must = needed === 'required' && within !== '' ? `required${within}` : needed && `**${needed}**`;
    const words = [must, cell(text), where === undefined ? '' : `As \`${where}\`.`];
    const row = `| \`${path}\` | ${shown} | ${words.filter((word) => word !== '').join(' · ')} |`;
    const more =
      where === undefined
        ? rowsOf(merged(inner), `${path}.`, {
            ...page,
            inOptional: page.inOptional === true || optional || isText,
          })
        : [];
    return [row, ...more];
  });
}

/** How it is called, and what it returns. */
function callOf({ name, parameters, result }: Callable): string {
  const words = parameters
    .filter(({ overload }) => !overload)
    .map((each) => {
      const type = each.options.length > 0 ? '' : `: ${each.type}`;
      return `${each.name}${each.optional ? '?' : ''}${type}`;
    });
  return `\`${name}(${words.join(', ')})\` → \`${result.replaceAll(/\s*\n\s*/g, ' ')}\``;
}

function facts(
  { codes, changes }: Found,
  of: { readonly inSequence: readonly string[]; readonly undo: string | undefined },
): readonly string[] {
  const rare = codes.filter((code) => !common.includes(code) && !ofSequences.includes(code));
  for (const code of rare) if (!(errorCodes as readonly string[]).includes(code)) throw new Error(code);
  const undo = of.undo ?? (changes ? 'each of its steps, newest first' : undefined);
  return [
    ...(rare.length === 0 ? [] : [`- Errors: ${inCode(rare)}`]),
    ...(of.inSequence.length === 0 ? [] : [`- In a sequence: ${of.inSequence.join(', ')}`]),
    ...(undo === undefined ? [] : [`- Undo: ${undo}`]),
  ];
}

/** How each method of `tx` is undone: from the registry, and from the page of what each operation runs. */
async function undos(): Promise<ReadonlyMap<string, string>> {
  const row = /^\| `(?<kind>[\w.]+)` \| (?<act>[^|]+) \| (?<undo>[^|]+) \| (?<after>[^|]+) \|/gm;
  const page = readFileSync(operationsPath, 'utf8');
  const rows = new Map([...page.matchAll(row)].map(({ groups }) => [groups?.kind, groups]));
  const found = new Map<string, string>();
  for (const [driver, module] of Object.entries(await loadOperations()))
    for (const [name, code] of Object.entries(module as Readonly<Record<string, unknown>>)) {
      if (typeof code !== 'object' || code === null || !('parseArgs' in code) || !('kind' in code)) continue;
      const { kind } = code;
      const { undo = '', after = '' } = rows.get(String(kind)) ?? {};
      if (undo === '') throw new Error(`docs/operations.md has no row for ${String(kind)}`);
      const deferred = 'deferred' in code && code.deferred === true;
      const programs = undo === '–' ? 'nothing to run' : inCode(undo.split(', '));
      const back = 'restores' in code && code.restores === 'state' ? '*state*' : '*existence*';
      found.set(
        `${driver}.${name}`,
        deferred
          ? `none: it runs after the commit (${inCode(after.split(', '))})`
          : `${programs}; ${back}${after === '–' ? '' : `. After the commit, irreversible: ${inCode(after.split(', '))}; from then on \`undo()\` refuses the sequence`}`,
      );
    }
  return found;
}
