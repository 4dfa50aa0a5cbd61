// A process of its own, for the test that stops it with SIGSTOP: reads with the tool of its argument.
import { localHost } from '../../../src/host/local.ts';

const host = localHost({
  tools: { tar: process.argv[2] ?? '' },
  log: ({ event }) => void process.stdout.write(`${event}\n`),
});
const parse = ({ stdout }: { readonly stdout: string }): string => stdout.slice(-5);
process.stdout.write(await host.run({ tool: 'tar', argv: [], access: 'read', timeoutMs: 700, parse }));
