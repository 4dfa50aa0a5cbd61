// The stages of `npm test`, and what its end is.

/** Other Nodes that bofh promises to run on. */
export const otherNodes = ['20.19.0', '24'];

export const onNode = (version) => `unit on Node ${version}`;

/** Their names, in their order. */
export const stages = ['build', 'types', 'lint', 'unit', 'loop', 'rig', 'pair', ...otherNodes.map(onNode)];

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
