#!/usr/bin/env node
import { join } from 'node:path';
import { version } from '../core/version.ts';
import { loadCompiled } from './compiled.ts';
import type * as commandLine from './runtime/main.ts';

const [word, ...more] = process.argv.slice(2);
// The version needs no command line, whose loading takes as long as the start of Node.
if ((word === '--version' || word === '-V') && more.length === 0) process.stdout.write(`${version}\n`);
else {
  // The build inserts the name, which contains a hash, and the digest.
  const file = join(import.meta.dirname, 'command.cjs');
  const { exports, keep } = loadCompiled<typeof commandLine>(file, 'the digest');
  // Only commands that change the host write to the cache.
  void exports.main(process.argv.slice(2), keep);
}
