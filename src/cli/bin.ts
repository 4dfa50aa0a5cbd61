#!/usr/bin/env node
import { version } from '../core/version.ts';

const [word, ...more] = process.argv.slice(2);
// The version needs no command line: loading it takes as long as starting Node.
if ((word === '--version' || word === '-V') && more.length === 0) process.stdout.write(`${version}\n`);
else void import('./runtime/main.ts').then(({ main }) => main(process.argv.slice(2)));
