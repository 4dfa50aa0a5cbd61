// The published types: what tsc emits, without any reference to the schema library.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { withDocstrings } from './lib/docstrings.mjs';

const library = 'zod/mini';
const flags =
  ts.TypeFormatFlags.NoTruncation |
  ts.TypeFormatFlags.InTypeAlias |
  ts.TypeFormatFlags.UseAliasDefinedOutsideCurrentScope;

/** Writes the declarations below `out`. Returns the errors of tsc; empty if there are none. */
export function emitTypes(root, out) {
  const read = ts.getParsedCommandLineOfConfigFile(
    join(root, 'tsconfig.build.json'),
    { outDir: out },
    {
      ...ts.sys,
      onUnRecoverableConfigFileDiagnostic: (fault) => {
        throw new Error(ts.flattenDiagnosticMessageText(fault.messageText, '\n'));
      },
    },
  );
  const program = ts.createProgram(read.fileNames, read.options);
  const faults = ts.getPreEmitDiagnostics(program);
  rmSync(out, { recursive: true, force: true });
  for (const [name, text] of declarations(program)) {
    mkdirSync(dirname(name), { recursive: true });
    writeFileSync(name, withoutNode(text.replaceAll(relativeTs, '$1.js$2')));
  }
  const host = {
    getCanonicalFileName: (name) => name,
    getCurrentDirectory: () => root,
    getNewLine: () => '\n',
  };
  return ts.formatDiagnostics(faults, host);
}

/** Replaces types of Node.js, and names the library of TypeScript that not every project includes. */
function withoutNode(text) {
  const plain = text.replaceAll(/\bBuffer(?:<\w+>)?(?=[;,)>\]| ]|$)/gm, 'Uint8Array');
  return /\b(?:Async)?Disposable\b|Symbol\.(?:asyncD|d)ispose/.test(plain)
    ? `/// <reference lib="esnext.disposable" />\n${plain}`
    : plain;
}

/** An import of a source file: the published file has the extension of the compiled file. */
const relativeTs = /((?:from |import\(|import )["']\.{1,2}\/[^"']*)\.ts(["'])/g;

function declarations(program) {
  const files = new Map();
  const sourceOf = new Map();
  const dropped = new Set();
  program.emit(undefined, (name, text, _mark, _error, sources) => {
    const drop = (each) => dropped.add(`${name} ${each}`);
    sourceOf.set(name, sources?.[0]);
    files.set(name, withoutLibrary(text, sources?.[0], program.getTypeChecker(), drop));
  });
  // Drops re-exports of dropped names, until none is left.
  for (let before = -1; before !== dropped.size; ) {
    before = dropped.size;
    for (const [name, text] of files) files.set(name, withoutDropped(text, name, dropped));
  }
  for (const [name, text] of files) {
    const source = sourceOf.get(name);
    if (source !== undefined) files.set(name, withDocstrings(text, source, program.getTypeChecker()));
  }
  return files;
}

/** Writes out each type that is derived from a schema; drops the schemas themselves, and functions that take them. */
function withoutLibrary(text, source, checker, drop) {
  if (!text.includes(`'${library}'`)) return text;
  const kept = [];
  for (const statement of parse(text).statements) {
    const code = statement.getFullText();
    if (ts.isImportDeclaration(statement) && statement.moduleSpecifier.text === library) continue;
    if (!/\bz\./.test(statement.getText())) kept.push(code);
    else if (ts.isTypeAliasDeclaration(statement)) kept.push(writtenOut(statement, code, source, checker));
    else if (ts.isFunctionDeclaration(statement)) drop(statement.name.text);
    else if (ts.isVariableStatement(statement))
      for (const each of statement.declarationList.declarations) drop(each.name.text);
    else throw new Error(`${source.fileName}: the published types would name ${library}: ${code}`);
  }
  return `${kept.join('').trimStart()}\n`;
}

function writtenOut(statement, code, source, checker) {
  const name = statement.name.text;
  const declared = source.statements.find(
    (each) => ts.isTypeAliasDeclaration(each) && each.name.text === name,
  );
  const type = checker.typeToString(checker.getTypeAtLocation(declared.name), declared, flags);
  return code.replace(/=[^]*$/, () => `= ${type};`);
}

/** Removes imports and exports of names that were dropped. */
function withoutDropped(text, file, dropped) {
  const kept = [];
  for (const statement of parse(text).statements) {
    const names = ts.isExportDeclaration(statement)
      ? statement.exportClause
      : statement.importClause?.namedBindings;
    const from = statement.moduleSpecifier?.text ?? '';
    const source = join(dirname(file), from.replace(/\.ts$/, '.d.ts'));
    const elements = from.startsWith('.') ? (names?.elements ?? []) : [];
    const gone = elements.filter((each) => dropped.has(`${source} ${(each.propertyName ?? each.name).text}`));
    kept.push(without(statement.getFullText(), names, gone));
    if (ts.isExportDeclaration(statement)) for (const { name } of gone) dropped.add(`${file} ${name.text}`);
  }
  return `${kept.join('')}\n`;
}

function without(code, names, gone) {
  if (gone.length === 0) return code;
  const left = names.elements.filter((each) => !gone.includes(each)).map((each) => each.getText());
  return left.length === 0 ? '' : code.replace(names.getText(), () => `{ ${left.join(', ')} }`);
}

function parse(text) {
  return ts.createSourceFile('types.d.ts', text, ts.ScriptTarget.Latest, true);
}
