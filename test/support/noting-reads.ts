import { type Command, commandLine } from '../../src/command/index.ts';
import type { SimulatedHost } from '../../src/simulator/index.ts';

/** The same host, which adds every program that is started to look at something to `reads`. */
export function noting(of: SimulatedHost, reads: string[]): SimulatedHost {
  const note = <T>(command: Command<T>): Command<T> => {
    if (command.access === 'read') reads.push(commandLine(command));
    return command;
  };
  return {
    ...of,
    run: (command) => {
      note(command);
      return of.run(command);
    },
    during: (step) => {
      const change = of.during(step);
      return { ...change, run: (command) => change.run(note(command)) };
    },
  };
}
