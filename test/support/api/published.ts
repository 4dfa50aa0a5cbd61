import { join } from 'node:path';
import ts from 'typescript';

const root = join(import.meta.dirname, '../../..');

/** What package.json exports, by the name that a program imports. */
const entries = { bofh: 'index', 'bofh/testing': 'simulator/index', 'bofh/atomic': 'atomic/index' } as const;

/** What the library gives and takes back: a program does not write these down. */
const opaque: ReadonlySet<string> = new Set([
  ...['Engine', 'Host', 'LocalHost', 'SshHost', 'ReadHost', 'ChangeHost', 'SimulatedHost', 'Bofh', 'Tx'],
  ...['SequenceEvent', 'Holder', 'Resource', 'AbortSignal', 'Pipeline'],
  ...[
    'Operation',
    'DeferredOperation',
    'AtomicOperationSequence',
    'LayerAt',
    'MountPool',
    'Schema',
    'Secret',
  ],
]);

/** A property of what a function takes, or of what is in it. */
export interface Option {
  readonly name: string;
  readonly type: string;
  readonly optional: boolean;
  readonly text: string;
  /** Where it is declared: file and line. */
  readonly at: string;
  /** Whether it may also be given as text. */
  readonly isText: boolean;
  readonly options: readonly Option[];
  /** Its part of a union of objects. */
  readonly part?: Part;
}

/** One of several objects that a function takes at the same place. */
export interface Part {
  /** Its place among `count` of them. */
  readonly index: number;
  readonly count: number;
  /** What tells it from the others: `from: "file"`. */
  readonly told?: string;
}

export interface Callable {
  /** As a program writes it: `lvm.createLv`, `tx.lvm.createLv`. */
  readonly name: string;
  readonly from: keyof typeof entries;
  /** What an editor shows on hover. */
  readonly text: string;
  readonly tags: ReadonlyMap<string, string>;
  /** Its `@returns` and `@param`, as text. */
  readonly notes: readonly string[];
  readonly at: string;
  readonly symbol: ts.Symbol;
  readonly parameters: readonly {
    readonly name: string;
    readonly type: string;
    readonly optional: boolean;
    readonly options: readonly Option[];
    /** Another way to call it has these. */
    readonly overload: boolean;
  }[];
  readonly result: string;
}

export interface PublishedApi {
  readonly service: ts.LanguageService;
  readonly checker: ts.TypeChecker;
  /** Functions, classes and other values, and what is on `tx`. */
  readonly callables: readonly Callable[];
  /** What an editor shows on hover at the end of an expression, after these lines. */
  readonly hover: (expression: string, before?: string) => string;
}

const made = new Map<string, PublishedApi>();

/**
 * Asks TypeScript's language service for what the package exports, once in a process. `folder` has the sources, or the
 * declarations (`.d.ts`) that are made of them.
 */
export function publishedApi(folder = join(root, 'src'), extension: '.ts' | '.d.ts' = '.ts'): PublishedApi {
  const api = made.get(folder) ?? apiIn(folder, extension);
  made.set(folder, api);
  return api;
}

function apiIn(folder: string, extension: '.ts' | '.d.ts'): PublishedApi {
  const files = Object.values(entries).map((name) => join(folder, `${name}${extension}`));
  const probe = join(folder, 'probe.ts');
  let text = 'export {};';
  let version = 0;
  const service = ts.createLanguageService(
    {
      ...ts.sys,
      useCaseSensitiveFileNames: () => true,
      getScriptFileNames: () => [...files, probe],
      getScriptVersion: (name) => (name === probe ? String(version) : '0'),
      getScriptSnapshot: (name) => {
        const content = name === probe ? text : ts.sys.readFile(name);
        return content === undefined ? undefined : ts.ScriptSnapshot.fromString(content);
      },
      getCurrentDirectory: () => root,
      getCompilationSettings: () => ({ ...compilerOptions(), noEmit: true }),
      getDefaultLibFileName: (options) => ts.getDefaultLibFilePath(options),
      fileExists: (name) => name === probe || ts.sys.fileExists(name),
    },
    ts.createDocumentRegistry(),
  );
  const shown = (lines: readonly string[], positions: readonly number[]) => {
    text = lines.join('');
    version += 1;
    return positions.map((at) => service.getQuickInfoAtPosition(probe, at - 1));
  };
  const imports = Object.keys(entries)
    .map((name, at) => `import * as api${String(at)} from '${name}';\n`)
    .join('')
    .replaceAll(
      /'(?<name>bofh[^']*)'/g,
      (_, name: keyof typeof entries) => `'./${entries[name]}${importAs}'`,
    );
  const head = `${imports}declare const tx: api0.Tx;\ndeclare const host: api0.ChangeHost;\ndeclare const admin: api1.Admin;\ndeclare const peer: api1.Peer;\ndeclare const simulated: api1.SimulatedHost;\n`;

  const found = service.getProgram();
  if (found === undefined) throw new Error('no program');
  const names = listed(found, files, folder);
  const lines = names.map(({ name, from }) =>
    [...handles.values()].includes(name.split('.')[0] ?? '')
      ? `${name};\n`
      : `api${String(Object.keys(entries).indexOf(from))}.${name};\n`,
  );
  const ends: number[] = [];
  let end = head.length;
  for (const line of lines) {
    end += line.length;
    ends.push(end - 2);
  }
  const infos = shown([head, ...lines], ends);
  const program = service.getProgram();
  if (program === undefined) throw new Error('no program');
  const checker = program.getTypeChecker();
  const again = listed(program, files, folder);
  return {
    service,
    checker,
    callables: again.map(({ name, from, symbol, type }, index) => {
      const info = infos[index];
      const signatures = type.getCallSignatures();
      const reader = optionsOf(checker, folder);
      return {
        name,
        from,
        text: ts.displayPartsToString(info?.documentation),
        notes: (info?.tags ?? []).flatMap((tag) => noteOf(tag)),
        tags: new Map(info?.tags?.map((tag) => [tag.name, ts.displayPartsToString(tag.text)])),
        at: placeOf(symbol),
        symbol,
        parameters: signatures.flatMap((signature, at) =>
          signature.parameters.map((parameter) => ({
            name: `${isRest(parameter) ? '...' : ''}${parameter.name.replace(/^__\d+$/, 'options')}`,
            type: checker.typeToString(withoutNull(checker, checker.getTypeOfSymbol(parameter))),
            optional:
              parameter.valueDeclaration !== undefined &&
              ts.isParameter(parameter.valueDeclaration) &&
              checker.isOptionalParameter(parameter.valueDeclaration),
            options: reader(checker.getTypeOfSymbol(parameter)),
            overload: at > 0,
          })),
        ),
        result: signatures[0] === undefined ? '' : checker.typeToString(signatures[0].getReturnType()),
      };
    }),
    hover: (expression, before = '') => {
      const [info] = shown(
        [head, before, expression, ';\n'],
        [head.length + before.length + expression.length],
      );
      return ts.displayPartsToString(info?.documentation);
    },
  };
}

const importAs = '.js';

/** `@returns` and `@param` as text. */
function noteOf({ name, text = [] }: ts.JSDocTagInfo): readonly string[] {
  const said = ts.displayPartsToString(text).trim();
  if (name === 'returns') return said === '' ? [] : [`Returns: ${said}`];
  const [, of, about] = /^(?<of>\S+)\s+(?:-\s+)?(?<about>.+)$/s.exec(said) ?? [];
  return name === 'param' && of !== undefined && about !== undefined ? [`\`${of}\`: ${about}`] : [];
}

function compilerOptions(): ts.CompilerOptions {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), (path) => ts.sys.readFile(path)) as {
    readonly config: unknown;
  };
  return ts.parseJsonConfigFileContent(config, { ...ts.sys, readDirectory: () => [] }, root).options;
}

/** What is without a docstring: each with the place where it is declared. */
export function undocumented({ callables }: PublishedApi): readonly string[] {
  const bare = (options: readonly Option[], of: string): readonly string[] =>
    options.flatMap(({ name, text, at, options: inner }) => [
      ...(text === '' ? [`${at} ${of}.${name}`] : []),
      ...bare(inner, `${of}.${name}`),
    ]);
  const all = callables.flatMap(({ name, text, at, parameters }) => [
    ...(text === '' ? [`${at} ${name}`] : []),
    ...parameters.flatMap(({ options }) => bare(options, name)),
  ]);
  return [...new Map(all.map((line) => [line.split(' ')[0], line])).values()].sort();
}

/** Parts of the simulation that a test has no need of, and the administrator, who has a handle of their own. */
const internal: ReadonlySet<string> = new Set(
  [
    ...['admin', 'world', 'process', 'faults'],
    // As of every host.
    ...['during', 'facts', 'flock', 'name', 'readDir', 'readFile', 'readLink', 'run', 'stat', 'user'],
  ].map((name) => `simulated.${name}`),
);

interface Listed {
  readonly name: string;
  readonly from: keyof typeof entries;
  readonly symbol: ts.Symbol;
  readonly type: ts.Type;
}

/** What a function of a program gets, by its type: what is on it counts as exported. */
const handles: ReadonlyMap<string, string> = new Map([
  ['Tx', 'tx'],
  ['ChangeHost', 'host'],
  ['Admin', 'admin'],
  ['Peer', 'peer'],
  ['SimulatedHost', 'simulated'],
]);

/** Every value that the entries export, those in their namespaces, and all on a handle. */
function listed(program: ts.Program, files: readonly string[], folder: string): readonly Listed[] {
  const checker = program.getTypeChecker();
  const real = (symbol: ts.Symbol): ts.Symbol =>
    (symbol.flags & ts.SymbolFlags.Alias) === 0 ? symbol : checker.getAliasedSymbol(symbol);
  const found: Listed[] = [];
  const seen = new Set<ts.Symbol>();
  const add = (name: string, from: keyof typeof entries, symbol: ts.Symbol): void => {
    const type = checker.getTypeOfSymbol(symbol);
    found.push({ name, from, symbol, type });
    if (type.getCallSignatures().length > 0 || type.getConstructSignatures().length > 0) return;
    // A group of functions, such as `tx.lvm` or `ensure`, and no value of the language.
    for (const inner of type.getProperties())
      if (isOurs(inner, folder) && !name.endsWith('.signal')) add(`${name}.${inner.name}`, from, inner);
  };
  for (const [at, from] of (Object.keys(entries) as (keyof typeof entries)[]).entries()) {
    const source = program.getSourceFile(files[at] ?? '');
    const module = source === undefined ? undefined : checker.getSymbolAtLocation(source);
    for (const exported of module === undefined ? [] : checker.getExportsOfModule(module)) {
      const symbol = real(exported);
      const handle = handles.get(exported.name);
      if (handle !== undefined) {
        for (const inner of checker.getDeclaredTypeOfSymbol(symbol).getProperties())
          if (isOurs(inner, folder) && !internal.has(`${handle}.${inner.name}`))
            add(`${handle}.${inner.name}`, from, inner);
      } else if ((symbol.flags & ts.SymbolFlags.ValueModule) !== 0) {
        for (const inner of checker.getExportsOfModule(symbol).map(real))
          if ((inner.flags & ts.SymbolFlags.Value) !== 0)
            found.push({
              name: `${exported.name}.${inner.name}`,
              from,
              symbol: inner,
              type: checker.getTypeOfSymbol(inner),
            });
      } else if ((symbol.flags & ts.SymbolFlags.Value) !== 0 && !seen.has(symbol)) {
        seen.add(symbol);
        add(exported.name, from, symbol);
      }
    }
  }
  // Their order in a type is not the same in each program.
  return found.sort((one, other) => (`${one.from} ${one.name}` < `${other.from} ${other.name}` ? -1 : 1));
}

/** The type without null and undefined; of `unknown` that would be `{}`. */
function withoutNull(checker: ts.TypeChecker, type: ts.Type): ts.Type {
  return type.flags & ts.TypeFlags.Unknown ? type : checker.getNonNullableType(type);
}

/** Reads the properties of what a function takes, of each part of a union, and of what is in them. */
function optionsOf(checker: ts.TypeChecker, folder: string): (type: ts.Type) => readonly Option[] {
  const seen = new Set<ts.Type>();
  const written = (type: ts.Type): string =>
    checker.typeToString(withoutNull(checker, type), undefined, ts.TypeFormatFlags.NoTruncation);
  const ofUnion = (types: readonly ts.Type[]): readonly Option[] => {
    const parts = types.map(read).filter((options) => options.length > 0);
    // A property of which there may be none is only there to forbid it.
    const real = parts.map((options) => options.filter(({ type }) => type !== 'never'));
    const literal = /^"[^"|]*"$/;
    const teller = real[0]?.find(({ name, optional }) => {
      const all = real.map((options) => options.find((each) => each.name === name));
      const values = new Set(all.map((each) => each?.type));
      return !optional && values.size === real.length && all.every((each) => literal.test(each?.type ?? ''));
    })?.name;
    return real.flatMap((options, index) => {
      const told = options.find(({ name }) => name === teller);
      const part: Part = {
        ...{ index, count: real.length },
        ...(told === undefined ? {} : { told: `${told.name}: ${told.type}` }),
      };
      return options.map((each) => ({ ...each, part: each.part ?? part }));
    });
  };
  const read = (type: ts.Type): readonly Option[] => {
    if (seen.has(type)) return [];
    seen.add(type);
    try {
      const names = [type.aliasSymbol?.name, type.getSymbol()?.name];
      if (names.some((name) => name !== undefined && opaque.has(name))) return [];
      if (type.isUnion()) return ofUnion(type.types);
      if (checker.isArrayType(type) || checker.isTupleType(type))
        return checker.getTypeArguments(type as ts.TypeReference).flatMap(read);
      if (!type.isIntersection() && (type.flags & ts.TypeFlags.Object) === 0) return [];
      if (type.getCallSignatures().length > 0) return [];
      return type
        .getProperties()
        .filter((property) => isOurs(property, folder))
        .map((property) => {
          const of = checker.getTypeOfSymbol(property);
          return {
            name: property.name,
            type: written(of),
            optional: (property.flags & ts.SymbolFlags.Optional) !== 0,
            text: ts.displayPartsToString(property.getDocumentationComment(checker)),
            at: placeOf(property),
            isText: isText(of),
            options: read(of),
          };
        });
    } finally {
      seen.delete(type);
    }
  };
  return read;
}

/** Whether it may also be given as text. */
function isText(type: ts.Type): boolean {
  return type.isUnion() && type.types.some((part) => (part.flags & ts.TypeFlags.StringLike) !== 0);
}

function isRest({ valueDeclaration }: ts.Symbol): boolean {
  return (
    valueDeclaration !== undefined &&
    ts.isParameter(valueDeclaration) &&
    valueDeclaration.dotDotDotToken !== undefined
  );
}

function isOurs(symbol: ts.Symbol, folder: string): boolean {
  return symbol.declarations?.some((each) => each.getSourceFile().fileName.startsWith(`${folder}/`)) ?? false;
}

function placeOf(symbol: ts.Symbol): string {
  const [declaration] = symbol.declarations ?? [];
  if (declaration === undefined) return symbol.name;
  const source = declaration.getSourceFile();
  const { line } = source.getLineAndCharacterOfPosition(declaration.getStart());
  return `${source.fileName.replace(`${root}/`, '')}:${String(line + 1)}`;
}
