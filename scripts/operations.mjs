// `npm run docs`: writes docs/operations.md from what every operation does on the simulated host.
import { writeFileSync } from 'node:fs';
import { ensureDependencies, say } from './lib/setup.mjs';

if (!ensureDependencies()) process.exit(1);
const { createJiti } = await import('jiti');
const jiti = createJiti(import.meta.url, { fsCache: false });
const { operationsPage, operationsPath } = await jiti.import('../test/support/operations-page.ts');
writeFileSync(operationsPath, await operationsPage());
say('docs/operations.md is written');
