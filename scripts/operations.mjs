// `npm run docs`: writes docs/operations.md from what every operation does on the simulated host, then docs/reference.md and the
// schemas of the JSON answers from the types.
import { writeFileSync } from 'node:fs';
import { ensureDependencies, say } from './lib/setup.mjs';

if (!ensureDependencies()) process.exit(1);
await import('./lib/typescript.mjs');
const { operationsPage, operationsPath } = await import('../test/support/operations-page.ts');
writeFileSync(operationsPath, await operationsPage());
say('docs/operations.md is written');
const { referencePage, referencePath } = await import('../test/support/api/reference-page.ts');
writeFileSync(referencePath, await referencePage());
say('docs/reference.md is written');
const { answerSchemas } = await import('../test/support/api/answer-schemas.ts');
for (const [path, text] of answerSchemas()) writeFileSync(path, text);
say('src/cli/output/schemas/ is written');
