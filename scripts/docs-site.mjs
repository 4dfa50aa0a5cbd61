// `npm run docs:site [DIR]`: builds the documentation as a static site, by default in .cache/site. A dead link is an error.
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ensureDependencies, root, say } from './lib/setup.mjs';

if (!ensureDependencies()) process.exit(1);
const { buildSite } = await import('./lib/site.mjs');
const out = resolve(process.argv[2] ?? join(root, '.cache', 'site'));
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const faults = buildSite(out, { version });
for (const fault of faults) console.error(fault);
if (faults.length > 0) process.exitCode = 1;
else say(`the site is in ${out}: any web server can serve it, and index.html opens without one`);
