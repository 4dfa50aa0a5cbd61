// The stages of `npm test`, and what its end is.
import { relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

/** Other Nodes that bofh promises to run on. */
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

/** A word names a stage, or all that begin with it: `unit` is on every Node. */
export function names(word, stage) {
  return stage === word || stage.startsWith(`${word} `);
}

/** What is wrong with the words after `npm test --`; undefined when nothing is. */
export function wrongWords(words) {
  const wrong = words.filter((word) => !stages.some((stage) => names(word, stage)));
  if (wrong.length === 0) return undefined;
  return `no such stage: ${wrong.join(', ')}; the stages are ${stages.map((stage) => `"${stage}"`).join(', ')}`;
}

/** Why a run is no success; undefined when it is one. What tested nothing has shown nothing. */
export function failure({ passed, failed }) {
  if (failed > 0) return `${failed} failed`;
  return passed === 0 ? 'nothing was tested' : undefined;
}

/**
 * The tests that failed, from a report of vitest's JSON reporter: where each is, what it is called, and the beginning of what
 * it said. Printed at the very end, since of a long output often only the end is kept.
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
