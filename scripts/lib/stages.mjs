// The stages of `npm test`, and how it ends.
import { relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

/** Other versions of Node that bofh supports. */
export const otherNodes = ['20.19.0', '24'];

export const onNode = (version) => `unit on Node ${version}`;

/** Their names, in their order. */
export const stages = [
  'build',
  'types',
  'lint',
  'unit',
  'loop',
  'container',
  'rig',
  ...otherNodes.map(onNode),
];

/** A word names a stage, or all stages that begin with it: `unit` means the unit tests on every Node. */
export function names(word, stage) {
  return stage === word || stage.startsWith(`${word} `);
}

/** Returns what is wrong with the words after `npm test --`; undefined: nothing. */
export function wrongWords(words) {
  const wrong = words.filter((word) => !stages.some((stage) => names(word, stage)));
  if (wrong.length === 0) return undefined;
  return `no such stage: ${wrong.join(', ')}; the stages are ${stages.map((stage) => `"${stage}"`).join(', ')}`;
}

/** Returns why a run is not a success; undefined: it is one. A run without tests is not a success. */
export function failure({ passed, failed }) {
  if (failed > 0) return `${failed} failed`;
  return passed === 0 ? 'nothing was tested' : undefined;
}

/**
 * Returns the failed tests from a report of vitest's JSON reporter: the file and the name of each, and the beginning of its
 * message. They are printed at the end, because often only the end of a long output is kept.
 */
export function failedTests(report, root) {
  return (report.testResults ?? [])
    .filter((file) => file.status === 'failed')
    .flatMap((file) => {
      const failed = file.assertionResults.filter((test) => test.status === 'failed');
      const where = relative(root, file.name);
      if (failed.length === 0) return [`${where}\n${beginning(file.message)}`];
      return failed.map(
        (test) => `${where} > ${test.fullName}\n${beginning(test.failureMessages.join('\n'))}`,
      );
    });
}

function beginning(text) {
  const lines = stripVTControlCharacters(text).split('\n');
  return lines
    .slice(0, 30)
    .map((line) => `    ${line.slice(0, 400)}`)
    .join('\n');
}
