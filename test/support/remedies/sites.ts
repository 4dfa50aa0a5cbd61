import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

const source = join(import.meta.dirname, '../../../src');

/** The files of the code, parsed. */
export function* files(): Generator<{ readonly name: string; readonly file: ts.SourceFile }> {
  for (const name of readdirSync(source, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.ts')) continue;
    const text = readFileSync(join(source, name), 'utf8');
    yield { name, file: ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true) };
  }
}

/** Calls with each node of a file, and its line. */
export function eachNode(file: ts.SourceFile, visit: (node: ts.Node, line: number) => void): void {
  const walk = (node: ts.Node): void => {
    visit(node, lineOf(file, node.getStart()));
    ts.forEachChild(node, walk);
  };
  walk(file);
}

/** Each place in the code that gives an error its remedy: from the first to the last line of what makes the error. */
export function remedySites(): readonly {
  readonly at: string;
  readonly from: number;
  readonly to: number;
}[] {
  const found: { at: string; from: number; to: number }[] = [];
  for (const { name, file } of files())
    eachNode(file, (node) => {
      const isRemedy =
        (ts.isPropertyAssignment(node) || ts.isShorthandPropertyAssignment(node)) &&
        node.name.getText() === 'remedy';
      if (!isRemedy) return;
      let around: ts.Node = node;
      while (!ts.isSourceFile(around) && !ts.isNewExpression(around) && !ts.isStatement(around))
        around = around.parent;
      found.push({ at: name, from: lineOf(file, around.getStart()), to: lineOf(file, around.getEnd()) });
    });
  return found;
}

function lineOf(file: ts.SourceFile, position: number): number {
  return file.getLineAndCharacterOfPosition(position).line + 1;
}
