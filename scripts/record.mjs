// `npm run record [-- --suite trixie] [--only PATTERN]`: records the output of real tools in the rig again, into test/fixtures. It
// fails if bofh parses an output differently from the table of situations.
import { parseArgs } from 'node:util';
import { ensureDependencies, ensurePackages, say } from './lib/setup.mjs';

const { values } = parseArgs({
  options: { suite: { type: 'string', default: 'bookworm' }, only: { type: 'string', default: '' } },
});
if (!['bookworm', 'trixie'].includes(values.suite))
  throw new Error(`--suite ${values.suite}: bookworm or trixie`);
if (!ensureDependencies()) process.exit(1);
await import('./lib/typescript.mjs');
const { hostPackages } = await import('../test/support/rig/packages.ts');
const missing = ensurePackages(hostPackages, 'the emulated host');
if (missing !== undefined) throw new Error(missing);
const { record } = await import('../test/support/record/record.ts');
const { changed, surprises } = await record({
  suite: values.suite,
  only: new RegExp(values.only),
  say: (text) => process.stdout.write(`» ${text}\n`),
});
say(`${changed} recordings changed, ${surprises} answers taken otherwise than said`);
process.exitCode = surprises === 0 ? 0 : 1;
