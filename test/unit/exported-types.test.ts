import { join } from 'node:path';
import ts from 'typescript';
import { expect, it } from 'vitest';
import { publishedApi } from '../support/api/published.ts';

const root = join(import.meta.dirname, '../..');

/** What a program is handed and hands on as it is. */
const opaque = new Set([
  ...['Engine', 'Host', 'LocalHost', 'SshHost', 'Bofh', 'Tx', 'AtomicOperationSequence'],
  ...['ReadHost', 'LayerAt', 'MountPool'],
]);

/** The global one, and the common part of each kind of `Holder`. */
const unnamed = new Set(['AbortSignal', 'Held']);

const named = ts.SymbolFlags.Interface | ts.SymbolFlags.TypeAlias | ts.SymbolFlags.Class;

/** The named types of ours that functions of the public API take or give, and that have no name at the top level. */
function missing(): readonly string[] {
  const { checker, service } = publishedApi();
  const real = (symbol: ts.Symbol): ts.Symbol =>
    (symbol.flags & ts.SymbolFlags.Alias) === 0 ? symbol : checker.getAliasedSymbol(symbol);
  const index = service.getProgram()?.getSourceFile(join(root, 'src/index.ts'));
  const top = checker.getExportsOfModule(checker.getSymbolAtLocation(index as ts.SourceFile) as ts.Symbol);
  const exported = new Set(top.map(real));
  const isOurs = (symbol: ts.Symbol): boolean =>
    symbol.declarations?.some((at) => at.getSourceFile().fileName.startsWith(join(root, 'src/'))) ?? false;
  const found = new Set<string>();
  const seen = new Set<ts.Type>();
  const visit = (type: ts.Type, why: string): void => {
    if (seen.has(type)) return;
    seen.add(type);
    const names = [type.aliasSymbol, type.getSymbol()].filter((symbol) => symbol !== undefined);
    for (const symbol of names)
      if (
        isOurs(symbol) &&
        (symbol.flags & named) !== 0 &&
        !exported.has(symbol) &&
        !unnamed.has(symbol.name)
      )
        found.add(`${symbol.name} of ${why}`);
    if (names.some(({ name }) => opaque.has(name))) return;
    if (type.isUnionOrIntersection()) for (const part of type.types) visit(part, why);
    if ((type.flags & ts.TypeFlags.Object) === 0) return;
    for (const argument of checker.getTypeArguments(type as ts.TypeReference)) visit(argument, why);
    const symbol = type.getSymbol();
    if (symbol !== undefined && !isOurs(symbol)) return;
    for (const signature of type.getCallSignatures()) {
      for (const parameter of signature.parameters) visit(checker.getTypeOfSymbol(parameter), why);
      visit(signature.getReturnType(), why);
    }
    for (const property of type.getProperties()) visit(checker.getTypeOfSymbol(property), why);
  };
  for (const symbol of top) {
    const target = real(symbol);
    const inside =
      (target.flags & ts.SymbolFlags.ValueModule) === 0 ? [] : checker.getExportsOfModule(target);
    for (const each of inside) {
      const one = real(each);
      if ((one.flags & ts.SymbolFlags.Value) !== 0)
        visit(checker.getTypeOfSymbol(one), `${symbol.name}.${each.name}`);
      else if (!exported.has(one)) found.add(`${each.name} of ${symbol.name}`);
    }
    if ((target.flags & ts.SymbolFlags.Function) !== 0) visit(checker.getTypeOfSymbol(target), symbol.name);
  }
  expect(seen.size).toBeGreaterThan(500);
  return [...found].sort();
}

it('each type that a function takes or gives is exported at the top level', () => {
  expect(missing()).toEqual([]);
});
