// Builds dist/: the command as one file, the library as code-split bundles, both without node_modules, and the types and the
// manual pages.
// For tests: --out DIR builds elsewhere, --no-types leaves out both.
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { rolldown } from 'rolldown';
import { generations, parseNote } from './lib/generations.mjs';
import { manPages } from './lib/man.mjs';
import { noticeOf, noticesInsideJiti, noticesText, packageFolders } from './lib/notices.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const { values: options } = parseArgs({
  options: { out: { type: 'string' }, types: { type: 'boolean', default: true } },
  allowNegative: true,
});
const dist = options.out ?? join(root, 'dist');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const load = createRequire(import.meta.url);
const jiti = dirname(load.resolve('jiti/package.json'));
const noteName = 'generations.json';

const entries = Object.fromEntries(
  Object.entries({
    index: 'src/index.ts',
    atomic: 'src/atomic/index.ts',
    testing: 'src/simulator/index.ts',
    'dry-child': 'src/cli/plan/dry-child.ts',
  }).filter(([, file]) => existsSync(join(root, file))),
);

/** The version as a constant, so that the start reads nothing from the disk. */
const versionAsConstant = {
  name: 'version',
  load: (id) =>
    id === join(root, 'src/core/version.ts') ? `export const version = ${JSON.stringify(version)};` : null,
};

// One entry loads at its start what another one loads later.
const common = {
  cwd: root,
  platform: 'node',
  // Its main file is UMD, which requires its parts at run time.
  resolve: { alias: { 'jsonc-parser': 'jsonc-parser/lib/esm/main.js' } },
  plugins: [versionAsConstant],
  logLevel: 'warn',
  checks: { ineffectiveDynamicImport: false },
};

/** The library: its entries share chunks. */
async function bundle() {
  const build = await rolldown({ ...common, input: entries });
  // One flat directory: code that looks for a file beside itself finds it from every chunk.
  const { output } = await build.write({
    dir: dist,
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: 'chunk-[name]-[hash].js',
    sourcemap: false,
    minify: false,
  });
  await build.close();
  return {
    files: output.map((file) => file.fileName),
    modules: output.flatMap((file) => (file.type === 'chunk' ? file.moduleIds : [])),
  };
}

/** The command: a small file that runs the others with the cached code of V8 (src/cli/compiled.ts). */
async function bundleCommand() {
  const main = await cjs('src/cli/runtime/main.ts', {
    entryFileNames: 'command-[hash].cjs',
    chunkFileNames: 'command-[name]-[hash].cjs',
  });
  const digest = createHash('sha256');
  const loader = { fileName: 'jiti.cjs', code: readFileSync(join(jiti, 'dist/jiti.cjs'), 'utf8') };
  for (const { fileName, code } of [...main, loader]) {
    const text = forCache(code);
    digest.update(text);
    writeFileSync(join(dist, fileName), text);
  }
  const [bin] = await cjs('src/cli/bin.ts', { codeSplitting: false });
  const path = join(dist, 'bofh.cjs');
  const code = bin.code
    .replace('command.cjs', main[0].fileName)
    .replace('"the digest"', JSON.stringify(digest.digest('hex')));
  writeFileSync(`${path}.new`, code, { mode: 0o755 });
  renameSync(`${path}.new`, path);
  return {
    files: ['bofh.cjs', ...main.map(({ fileName }) => fileName)],
    modules: [...main, bin].flatMap(({ moduleIds }) => moduleIds),
  };
}

/** The chunks; the entry comes first. */
async function cjs(file, options) {
  const build = await rolldown({ ...common, input: join(root, file) });
  const { output } = await build.generate({ ...options, format: 'cjs', sourcemap: false });
  await build.close();
  return output;
}

/** For src/cli/compiled.ts, which reads them as Latin-1. Cached code has no import(), so it uses that of the loader. */
function forCache(code) {
  if (/String\.raw`[^`]*[^\0-\x7f]/.test(code))
    throw new Error('String.raw with other characters than ASCII');
  return code
    .replace(/(?<=\bawait |=> |return \(?)import\(/g, 'importOfNode(')
    .replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Writes whose code is in dist/. Throws for a licence with further requirements. */
function writeNotices(modules) {
  const folders = [...packageFolders(modules), jiti];
  const notices = [...folders.map(noticeOf), ...noticesInsideJiti(jiti, load('./lib/inside-jiti.json'))];
  writeFileSync(join(dist, 'THIRD-PARTY-NOTICES.txt'), noticesText(notices));
  return ['THIRD-PARTY-NOTICES.txt'];
}

/** Without a "type" beside it, Node parses the code to find its module type: 5 ms at each start. */
function writeRest() {
  writeFileSync(join(dist, 'package.json'), `${JSON.stringify({ type: 'module' })}\n`);
  copyFileSync(join(jiti, 'dist/babel.cjs'), join(dist, 'babel.cjs'));
  cpSync(join(root, 'src/cli/output/schemas'), join(dist, 'schemas'), { recursive: true });
  return ['package.json', 'jiti.cjs', 'babel.cjs', 'schemas', 'types', 'man'];
}

/** dist/man, in the layout of man(1): man -M dist/man bofh-vm. */
async function writeManual() {
  await import('./lib/typescript.mjs');
  const { program } = await import('../src/cli/runtime/program.ts');
  const folder = join(dist, 'man', 'man1');
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of manPages(await program('all', async () => undefined), version))
    writeFileSync(join(folder, name), text);
}

/** Removes the chunks of earlier builds, except those of the last one: a running bofh may still load them. */
function sweep(written, others) {
  const path = join(dist, noteName);
  const noted = existsSync(path) ? parseNote(readFileSync(path, 'utf8')) : undefined;
  // If the last build recorded nothing, all chunks may belong to it.
  const chunks = readdirSync(dist).filter((name) => /^(?:chunk|command)-.*\.c?js$/.test(name));
  const { kept, note } = generations(written, noted ?? { now: chunks, previous: [] });
  for (const name of readdirSync(dist))
    if (![...kept, ...others, noteName].includes(name))
      rmSync(join(dist, name), { recursive: true, force: true });
  writeFileSync(path, `${JSON.stringify(note)}\n`);
}

const begun = performance.now();
mkdirSync(dist, { recursive: true });
const library = await bundle();
const command = await bundleCommand();
const notices = writeNotices([...new Set([...library.modules, ...command.modules])]);
sweep([...library.files, ...command.files], [...writeRest(), ...notices]);
if (options.types) await writeManual();
const faults = options.types ? (await import('./types.mjs')).emitTypes(root, join(dist, 'types')) : '';
process.stdout.write(faults);
console.log(
  `dist/ ${faults === '' ? 'built' : 'has no good types'} in ${((performance.now() - begun) / 1000).toFixed(1)} s`,
);
if (faults !== '') process.exitCode = 1;
