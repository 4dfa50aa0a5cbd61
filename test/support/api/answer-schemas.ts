import { join } from 'node:path';
import ts from 'typescript';
import * as z from 'zod/mini';
import { type AnswerName, answers } from '../../../src/cli/output/answers/by-verb.ts';
import { idOf, schemaUrl } from '../../../src/cli/output/schemas.ts';

const root = join(import.meta.dirname, '../../..');

interface Node {
  $id?: string;
  $ref?: string;
  title?: string;
  description?: string;
  const?: unknown;
  properties?: Record<string, Node>;
  items?: Node;
  additionalProperties?: Node | boolean;
  anyOf?: Node[];
  oneOf?: Node[];
  $defs?: Record<string, Node>;
}

/** The JSON Schema of each answer by the path of its file, from zod, with the docstrings of the source. */
export function answerSchemas(): ReadonlyMap<string, string> {
  const path = join(root, 'src/cli/output/answers/by-verb.ts');
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), (file) => ts.sys.readFile(file)) as {
    readonly config: unknown;
  };
  const { options } = ts.parseJsonConfigFileContent(config, { ...ts.sys, readDirectory: () => [] }, root);
  const program = ts.createProgram([path], options);
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(path) as ts.SourceFile;
  const exported = checker.getExportsOfModule(checker.getSymbolAtLocation(source) as ts.Symbol);
  const named = (name: string) => exported.find((each) => each.name === name) as ts.Symbol;
  const types = checker.getDeclaredTypeOfSymbol(named('Answers'));
  const values = checker.getTypeOfSymbol(named('answers'));
  return new Map(
    (Object.keys(answers) as AnswerName[]).map((name) => {
      const schema = z.toJSONSchema(answers[name], { override: opened }) as Node;
      const { $schema, ...rest } = schema as Node & { readonly $schema: string };
      const property = values.getProperty(name);
      const about = docOf(property?.valueDeclaration);
      describe(schema, schema, typesOf(types.getProperty(name)));
      const head = { $schema, $id: idOf(name), title: titleOf(name) };
      const full = { ...head, ...(about === '' ? {} : { description: about }), ...rest };
      return [schemaUrl(name).pathname, `${compact(JSON.stringify(full, null, 2))}\n`];
    }),
  );

  /** What is said of the schema that stands at a name of `answers`; of several, all of it. */
  function docOf(at: ts.Node | undefined): string {
    if (at === undefined) return '';
    if (ts.isPropertyAssignment(at)) return docOf(at.initializer);
    if (ts.isCallExpression(at)) return at.arguments.map(docOf).join(' ');
    if (ts.isArrayLiteralExpression(at)) return at.elements.map(docOf).join(' ');
    const symbol = checker.getSymbolAtLocation(at);
    if (symbol === undefined) return '';
    const isAlias = (symbol.flags & ts.SymbolFlags.Alias) !== 0;
    return textOf(isAlias ? checker.getAliasedSymbol(symbol) : symbol);
  }

  function textOf(symbol: ts.Symbol): string {
    return ts.displayPartsToString(symbol.getDocumentationComment(checker)).replaceAll('\n', ' ');
  }

  function typesOf(...symbols: readonly (ts.Symbol | undefined)[]): readonly ts.Type[] {
    return symbols
      .flatMap((symbol) => (symbol === undefined ? [] : [checker.getTypeOfSymbol(symbol)]))
      .flatMap((type) => (type.isUnion() ? type.types : [type]));
  }

  /** Follows the parts of a schema beside the types that it may be. */
  function describe(top: Node, node: Node, parts: readonly ts.Type[]): void {
    const definition = node.$ref === undefined ? undefined : top.$defs?.[node.$ref.replace('#/$defs/', '')];
    if (definition !== undefined) throw new Error(`${String(node.$ref)}: describe what it refers to`);
    for (const each of [...(node.anyOf ?? []), ...(node.oneOf ?? [])]) describe(top, each, parts);
    if (node.items !== undefined) {
      const elements = parts.flatMap((type) =>
        checker.isArrayType(type) ? checker.getTypeArguments(type as ts.TypeReference) : [],
      );
      describe(
        top,
        node.items,
        elements.flatMap((type) => (type.isUnion() ? type.types : [type])),
      );
    }
    if (typeof node.additionalProperties === 'object')
      describe(
        top,
        node.additionalProperties,
        parts.flatMap((type) => type.getStringIndexType() ?? []),
      );
    const own = Object.entries(node.properties ?? {});
    const fits = parts.filter(
      (type) =>
        type.getProperties().length === own.length &&
        own.every(([key, { const: word }]) => isOf(type, key, word)),
    );
    for (const [key, each] of own) {
      const symbols = fits.flatMap((type) => type.getProperty(key) ?? []);
      const text = symbols.map(textOf).find((words) => words !== '');
      if (text !== undefined) each.description ??= text;
      describe(top, each, typesOf(...symbols));
    }
    if (own.length > 0 && fits.length === 0)
      throw new Error(`no type for an object with the keys ${own.map(([key]) => key).join(', ')}`);
  }

  function isOf(type: ts.Type, key: string, word: unknown): boolean {
    const property = type.getProperty(key);
    if (property === undefined) return false;
    const of = checker.getTypeOfSymbol(property);
    return word === undefined || !of.isStringLiteral() || of.value === word;
  }
}

function titleOf(name: AnswerName): string {
  if (name === 'plan') return 'bofh --dry-run --json VERB';
  if (name === 'error') return 'bofh --json VERB, of a command that fails';
  return `bofh --json ${name}`;
}

/** Later versions may add keys, so a published schema accepts them. The tests do not: `support/answers.ts`. */
function opened({ jsonSchema }: { readonly jsonSchema: z.core.JSONSchema.BaseSchema }): void {
  if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
  delete jsonSchema.readOnly;
  // The limits of whole numbers in JavaScript say nothing of the answer.
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
}

/** Puts what contains no brackets on one line, if that is short. */
function compact(json: string): string {
  return json.replaceAll(
    /(?<=[[{])\n *(?<inner>[^[\]{}]{1,100})\n *(?=[\]}])/g,
    (_, inner: string) => ` ${inner.replaceAll(/\n */g, ' ')} `,
  );
}
