import { join } from 'node:path';
import ts from 'typescript';

const root = join(import.meta.dirname, '../../..');

/**
 * What the compiler says of scripts, with the options of this project; empty if nothing is wrong.
 * What they import is checked by `tsc --noEmit`.
 */
export function scriptFaults(files: readonly string[]): string {
  const config = join(root, 'tsconfig.json');
  const host = { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => undefined };
  const options = ts.getParsedCommandLineOfConfigFile(config, { noEmit: true }, host)?.options;
  if (options === undefined) throw new Error(`${config} cannot be read`);
  const program = ts.createProgram(files, options);
  const faults = files.flatMap((name) => {
    const file = program.getSourceFile(name);
    if (file === undefined) throw new Error(`${name} was not compiled`);
    return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)];
  });
  return ts.formatDiagnostics(
    [...program.getConfigFileParsingDiagnostics(), ...program.getOptionsDiagnostics(), ...faults],
    {
      getCanonicalFileName: (name) => name,
      getCurrentDirectory: () => root,
      getNewLine: () => '\n',
    },
  );
}
