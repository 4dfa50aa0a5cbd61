import type { SimulatedHost } from '../../../src/simulator/index.ts';
import { recorded } from './fixtures.ts';

/** The same host, on which one device gives nothing but I/O errors: what was recorded of such a one. */
export function withUnreadable(host: SimulatedHost, node: string): SimulatedHost {
  const answers = new Map([
    ['blkid', recorded('blkid/io-error@2.38.1')],
    ['debugfs', recorded('debugfs/io-error@1.47.0')],
  ]);
  const run: SimulatedHost['run'] = async (command) => {
    if (command.tool === 'perl') {
      // Its line, as one that cannot be read has it.
      const paths = command.argv.filter((word) => word.startsWith('/'));
      return host.run({
        ...command,
        parse: ({ stdout, ...rest }) => {
          const lines = stdout.split('\n').map((line, at) => (paths[at] === node ? '?' : line));
          return command.parse({ ...rest, stdout: lines.join('\n') });
        },
      });
    }
    const answer = command.argv.at(-1) === node ? answers.get(command.tool) : undefined;
    return answer === undefined ? host.run(command) : command.parse(answer);
  };
  return { ...host, run };
}
