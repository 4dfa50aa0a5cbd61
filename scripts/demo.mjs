// `npm run demo`: the main job on a real Xen host in an emulator; `-- --simulated` on a simulated one, `-- --shell` ends
// in a shell on it. Imports only node: modules, because it starts before the dependencies are installed.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ensureDependencies, ensurePackages, quiet, root, say } from './lib/setup.mjs';

const words = new Set(process.argv.slice(2));
const reason = words.has('--simulated') ? undefined : whyNoRig();
const simulated = words.has('--simulated') || reason !== undefined;
if (reason !== undefined)
  process.stdout.write(`On a simulated host, because the emulated one cannot be had: ${reason}\n`);

if (!ensureDependencies()) stop('the dependencies could not be installed');
if (!existsSync(join(root, 'dist', 'bofh.cjs')) || !words.has('--no-build')) {
  if (!quiet(process.execPath, [join(root, 'scripts', 'build.mjs'), '--no-types']).ok)
    stop('bofh could not be built');
}
await import('./lib/typescript.mjs');
if (simulated) {
  const { simulatedDemo } = await import('../test/support/demo/simulated.ts');
  await simulatedDemo();
} else {
  const { hostPackages } = await import('../test/support/rig/packages.ts');
  const missing = ensurePackages(hostPackages, 'the emulated Xen host');
  if (missing !== undefined) stop(missing);
  const { rigDemo } = await import('../test/support/demo/rig.ts');
  process.exitCode = await rigDemo({ shell: words.has('--shell') });
}

/** What can be printed before anything is installed. */
function whyNoRig() {
  if (process.platform !== 'linux') return 'this is not Linux';
  if (process.arch !== 'x64') return `this is ${process.arch}, not x64`;
  if (process.getuid?.() !== 0) return 'not root';
  if (!existsSync('/usr/bin/apt-get')) return 'there is no apt';
  return undefined;
}

function stop(why) {
  say(why);
  process.exit(1);
}
