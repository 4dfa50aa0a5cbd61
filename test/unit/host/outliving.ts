// A process of its own, for the test that kills it: it makes the change that its arguments describe.
import { openSync } from 'node:fs';
import { localHost } from '../../../src/host/local.ts';

const [tool, outputs, lock, ...argv] = process.argv.slice(2);
if (tool === undefined || outputs === undefined || lock === undefined)
  throw new Error('arguments are missing');
const host = localHost({ tools: { tar: tool } });
const file = openSync(lock, 'a+');
if ((await host.flock([{ fd: file, mode: 'exclusive' }])) !== undefined) throw new Error('it is locked');
const step = host.during({ outputs, lock: file });
await step.run({ tool: 'tar', argv, access: 'change', parse: () => undefined });
