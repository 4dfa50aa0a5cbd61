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

/** A place in the code that gives an error its remedy. */
export interface RemedySite {
  readonly at: string;
  /** From the first to the last line of what makes the error. */
  readonly from: number;
  readonly to: number;
  /** Patterns of its remedy, in which each inserted value matches anything; empty: it passes on the remedy of another place. */
  readonly says: readonly RegExp[];
  /** What makes the error, on one line. */
  readonly text: string;
}

/** Each place in the code that gives an error its remedy. */
export function remedySites(): readonly RemedySite[] {
  const found: RemedySite[] = [];
  for (const { name, file } of files())
    eachNode(file, (node) => {
      const isRemedy =
        (ts.isPropertyAssignment(node) || ts.isShorthandPropertyAssignment(node)) &&
        node.name.getText() === 'remedy';
      if (!isRemedy) return;
      let around: ts.Node = node;
      while (!ts.isSourceFile(around) && !ts.isNewExpression(around) && !ts.isStatement(around))
        around = around.parent;
      found.push({
        ...{ at: name, from: lineOf(file, around.getStart()), to: lineOf(file, around.getEnd()) },
        says: ts.isPropertyAssignment(node) ? textsIn(node.initializer) : [],
        text: around.getText().replaceAll(/\s+/g, ' '),
      });
    });
  return found;
}

/** Of the texts in an expression, those that are long enough to be told from others. */
function textsIn(expression: ts.Expression): readonly RegExp[] {
  const found: RegExp[] = [];
  const visit = (node: ts.Node): void => {
    const parts =
      ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)
        ? [node.text]
        : ts.isTemplateExpression(node)
          ? [node.head.text, ...node.templateSpans.map(({ literal }) => literal.text)]
          : [];
    if (parts.join('').length < 12) {
      ts.forEachChild(node, visit);
      return;
    }
    const literal = parts.map((part) => part.replaceAll(/[$()*+.?[\\\]^{|}]/g, '\\$&'));
    found.push(new RegExp(literal.join('[^]*')));
  };
  visit(expression);
  return found;
}

function lineOf(file: ts.SourceFile, position: number): number {
  return file.getLineAndCharacterOfPosition(position).line + 1;
}
