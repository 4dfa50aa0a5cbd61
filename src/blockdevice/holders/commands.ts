import type { ReadCommand } from '../../command/index.ts';
import { ParseError } from '../../core/errors.ts';

/** The name of a domain. xl exits 1 if there is none with that id, or it has no name. */
export function domainName(domid: number): ReadCommand<string> {
  return {
    tool: 'xl',
    argv: ['domname', String(domid)],
    access: 'read',
    parse: ({ stdout }) => {
      const name = /^(?<name>[^\n]+)\n$/.exec(stdout)?.groups?.name;
      if (name === undefined) throw new ParseError('not one name');
      return name;
    },
  };
}
